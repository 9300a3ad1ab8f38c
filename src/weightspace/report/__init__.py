"""Tables and figures of a study, made from the files of its runs and fits."""
