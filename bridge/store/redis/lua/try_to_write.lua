-- That it runs is the trial.
return answer()
