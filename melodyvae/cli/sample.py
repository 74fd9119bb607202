"""``melodyvae sample``: new tunes."""

from __future__ import annotations

from dataclasses import replace

from melodyvae.cli.options import Generation, composing, is_given, verb_command
from melodyvae.verbs.sample import SampleOptions
from melodyvae.verbs.sample import sample as draw


@verb_command(SampleOptions)
def sample(generation: Generation, options: SampleOptions) -> None:
    """Write new tunes, drawn from the model.

    \b
    melodyvae sample -n 8
    melodyvae sample -n 8 --bars 16
    melodyvae sample -n 4 --bars 32 --key A:minor --density 5 --range 60 81
    melodyvae sample -n 8 --style jig
    melodyvae sample -n 8 --meter 3/4 --form AABA
    melodyvae sample -n 4 --scale G:major
    melodyvae sample -n 8 --meter 3/4
    melodyvae sample -n 8 --model melody-2bar --prior normal
    melodyvae sample -n 100 --seed 7 --temperature 0.7 -o tunes

    They are written by melody-compose: eight bars, long enough for a phrase and its answer. Which phrases come back is
    planned first, as in the tunes that the model has learned; then each tune is drafted eight times, and the draft that
    comes to its close and is most like a real tune is kept.
    --model melody-2bar writes two bars, and any model of yours what it has learned.

    The folder (samples by default) gets a MIDI file for each tune, such as 01-of-8_C_120bpm.mid, all.mid with all of
    them in a row, piano-rolls.png, and index.html, a page that plays them.
    Key, scale, range and density hold together; what no tune can meet is refused, and what none of those drawn meets is
    told with what was reached.
    Without --seed the tunes are new each time, and the seed with which they come again is printed.
    """
    from melodyvae.verbs.meters import COMPOSED_BARS

    if not is_given("model_name") and options.prior is None:
        generation = composing(generation)
        options = replace(options, bars=options.bars or COMPOSED_BARS)
    folder, vae = generation.open("samples")
    generation.finish(draw(vae, options), folder)
