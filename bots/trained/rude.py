"""Words that the duck never says, in lower case. Not a list of what is forbidden to people: what they say is theirs."""

_ENGLISH = """
ass asses asshole assholes bastard bastards bitch bitches bitching blowjob boob boobs bullshit cock cocks crap cum cunt
cunts dick dickhead dicks dumbass dyke fag faggot faggots fags fuck fucked fucker fuckers fuckin fucking fucks goddamn
hooker horny idiot idiots jackass kike kill kys moron morons motherfucker nazi nazis nigga niggas nigger niggers penis
pervert piss pissed porn porno pussy queer rape raped rapist retard retarded retards screw sex sexual sexy shit shits
shitty shut slut sluts spic stfu stupid suck sucks suicide tits tranny twat vagina wank wanker whore whores wtf
dumb hate loser losers ugly murder murdered terrorist terrorists damn hell drunk weed cocaine heroin
"""
_GERMAN = """
arsch arschloch bimbo depp dumm fick ficken fotze hure hurensohn idiot kacke kanake miststück neger nutte pisse
scheiss scheisse scheiße schlampe schwanz schwuchtel spast spasti titten trottel verpiss wichser
"""
_SPANISH = """
cabron cabrón carajo chinga chingar cojones coño culo follar gilipollas hijoputa idiota imbécil joder maricon maricón
mierda pendejo pendeja perra pinche polla puta putas puto putos verga zorra
"""
_FRENCH = """
batard bâtard bite bordel chatte con connard connards connasse conne couille couilles cul débile encule enculé foutre
merde négro niquer pd pute putes putain salaud salope salopes
"""
_CHINESE = "屄 肏 屌 操 妓 婊 尻 鸡巴 傻逼"
RUDE = frozenset(f"{_ENGLISH} {_GERMAN} {_SPANISH} {_FRENCH} {_CHINESE}".split())
