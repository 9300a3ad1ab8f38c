"""What a figure shows: its titles, the texts of its legend, and the points of its lines."""

import numpy as np


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def lines(axes, **look):
    """The lines with data whose properties are `look`, as arrays (n, 2)."""
    chosen = [
        line
        for line in axes.lines
        if all(getattr(line, f"get_{k}")() == v for k, v in look.items())
    ]
    return [np.column_stack(line.get_data()) for line in chosen]


def dotted(axes):
    """One point of the dotted line, which is at chance."""
    return lines(axes, linestyle=":")[0][0]
