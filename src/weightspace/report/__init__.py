"""Tables and figures of an experiment, made from the files of its runs and fits."""
