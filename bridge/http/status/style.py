"""How the status page looks: in the colours that the reader's system prefers, in one column on a phone."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #f6f5f1; --card: #ffffff; --ink: #1d2327; --dim: #565f66; --line: #dedbd2;
  --good: #0b6b3c; --good-soft: #e3f3e9; --bad: #a8201a; --bad-soft: #fbe7e5; --duck: #f2b705; --beak: #d9730d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181b; --card: #1e2428; --ink: #e8eaec; --dim: #a5aeb5; --line: #333c42;
    --good: #6fd69c; --good-soft: #17342a; --bad: #ff9d94; --bad-soft: #43211f; --duck: #f6c945; --beak: #f0913a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; padding: 1.5rem 1rem 3rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; overflow-wrap: anywhere;
}
header, main, footer { max-width: 56rem; margin: 0 auto; }
header { display: flex; align-items: center; gap: .6rem; }
header svg { width: 2.25rem; height: 2.25rem; flex: none; }
.duck { fill: var(--duck); } .beak { fill: var(--beak); } .eye { fill: #1d2327; }
h1 { font-size: 1.25rem; margin: 0; letter-spacing: -.01em; }
h2 { font-size: 1.05rem; margin: 2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 0; }
p, dl, ul { margin: 0; padding: 0; }
ul { list-style: none; }
.all { margin-top: 1rem; padding: 1rem 1.1rem; border-radius: .75rem; border-left: .4rem solid; }
.all p:first-child { font-size: 1.35rem; font-weight: 650; line-height: 1.3; }
.all.good { background: var(--good-soft); border-color: var(--good); }
.all.bad { background: var(--bad-soft); border-color: var(--bad); }
.cards { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); }
.cards.wide { grid-template-columns: minmax(0, 1fr); }
.card {
  padding: .8rem 1rem; background: var(--card); min-width: 0; border: 1px solid var(--line); border-radius: .75rem;
}
.top { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: .1rem .75rem; }
.state { font-weight: 650; white-space: nowrap; }
.state::before {
  content: ""; display: inline-block; width: .6em; height: .6em; margin-right: .4em; background: currentColor;
}
.state.good { color: var(--good); } .state.good::before { border-radius: 50%; }
.state.bad { color: var(--bad); } .state.bad::before { transform: rotate(45deg) scale(.9); }
.why { color: var(--bad); }
.dim { color: var(--dim); font-size: .9rem; }
.rooms { display: grid; gap: .5rem 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
.rooms li { min-width: 0; border-top: 1px solid var(--line); padding-top: .5rem; margin-top: .4rem; }
.room { font-weight: 550; }
dl { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 12rem), 1fr)); }
dt { color: var(--dim); font-size: .9rem; }
dd { margin: 0; font-size: 1.05rem; }
footer { margin-top: 2.5rem; color: var(--dim); font-size: .9rem; }
"""
