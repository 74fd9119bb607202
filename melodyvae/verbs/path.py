"""Places on a path that are evenly far apart to the ear.

Equal steps in z often give AAAABBBB: long stretches of a path decode to one melody, and then much changes at once. So
the path is decoded on a fine grid, and places are chosen among what was found.
"""

from __future__ import annotations

import numpy as np

EXPONENT = 4  # the higher, the more the largest step counts; 2 leaves large steps where the path jumps
REPEAT_COST = 1e6  # above any sum of such costs of distances of 1 at most


def even_places(distances: np.ndarray, count: int) -> np.ndarray:
    """Indices of ``count`` evenly spaced melodies along a path, ascending, with the first and the last: ``(count,)``.

    The choice has the fewest repeats between neighbours and, among such choices, the smallest sum of the fourth
    powers of the distances from neighbour to neighbour: in a metric, that is where the steps are alike and no detour is
    taken.

    Args:
        distances: between the melodies along the path, ``(M, M)``, on any scale; see
            :func:`melodyvae.verbs.distance.musical_distances`.
        count: at least 2; where there are fewer distinct melodies in a row than that, some are taken again.
    """
    firsts = np.flatnonzero(np.append(True, np.diagonal(distances, offset=1) > 0))  # one for each run of equal ones
    if len(firsts) == 1:
        return np.round(np.linspace(0, len(distances) - 1, count)).astype(np.int64)
    lasts = np.append(firsts[1:], len(distances)) - 1
    places = (firsts + lasts) // 2
    places[0], places[-1] = 0, len(distances) - 1
    between = distances[np.ix_(places, places)]
    between = between / between.max()
    cost_of_step = np.where(between > 0, between**EXPONENT, REPEAT_COST)
    cost_of_step[np.tril_indices(len(places), -1)] = np.inf  # never back
    cost = np.full(len(places), np.inf)
    cost[0] = 0.0
    came_from = []
    for _ in range(count - 1):
        totals = cost[:, None] + cost_of_step
        came_from.append(totals.argmin(axis=0))
        cost = totals.min(axis=0)
    chosen = [len(places) - 1]
    for previous in reversed(came_from):
        chosen.append(int(previous[chosen[-1]]))
    taken: np.ndarray = places[chosen[::-1]]
    return taken
