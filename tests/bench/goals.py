"""What is promised about speed, and whether what was measured keeps it."""
import statistics

OURS = "mailferry"


class Measured:
    """Runs by case and tool. What was not measured, or was wrong, raises KeyError."""

    def __init__(self, results, scale):
        self.results, self.scale = results, scale

    def runs(self, case, tool=OURS):
        runs = self.results[case][tool]
        if not all(run["right"] for run in runs):
            raise KeyError(case)
        return runs

    def seconds(self, case, tool=OURS):
        return statistics.median(run["seconds"] for run in self.runs(case, tool))

    def faster(self, case, tool):
        """How many times faster we are than `tool`, run by run."""
        pairs = zip(self.runs(case), self.runs(case, tool))
        return statistics.median(theirs["seconds"] / ours["seconds"] for ours, theirs in pairs)

    def peak(self, *cases):
        return max(run["peak"] for case in cases for run in self.runs(case))

    def wire(self, case, name):
        return max(run["wire"][name] for run in self.runs(case))


def times(value, least):
    return f"{value:.2f} times", value >= least


def at_most(value, most, unit):
    return f"{value:.3g} {unit}", value <= most


def everywhere(m):
    """The highest peak but of the case that may take more."""
    cases = [case for case in m.results if OURS in m.results[case] and case != "idle-plain"]
    return at_most(m.peak(*cases), 40, "MB")


def no_body(m):
    """500 messages of some 48 KB each would be 24 MB; what names them is some hundred bytes each."""
    moved = max(4, int(500 * m.scale))
    value = max(m.wire(case, "down") + m.wire(case, "up") for case in ("move-there", "move-here"))
    return f"{value / 1000:.0f} KB for {moved}", value < 50_000 + 2_000 * moved


# Work, goal, how it is seen. The sizes are those at full scale.
GOALS = [
    ("first pull, 20,000 messages, 1 GB, on a disk", "12 times faster than mbsync, both durable",
     lambda m: times(m.faster("pull-disk", "mbsync-nz"), 12)),
    ("", "at most 1.3 times the limit", lambda m: at_most(1 / m.faster("pull-disk", "limit"), 1.3, "times")),
    ("the same in memory", "durable, not slower than mbsync that is not", lambda m: times(m.faster("pull", "mbsync-nz-nosync"), 1)),
    ("first pull, 5,000 messages, 200 folders, 50 ms", "20 times faster than mbsync", lambda m: times(m.faster("folders", "mbsync-nz"), 20)),
    ("nothing to do, 200 folders, 50 ms", "100 times faster than mbsync", lambda m: times(m.faster("idle-folders", "mbsync-nz"), 100)),
    ("", "6 round trips in all, TCP and login included",
     # The client's turns leave out the handshake and the greeting, one each.
     lambda m: at_most(m.wire("idle-folders", "turns") + 2, 6, "round trips")),
    ("nothing to do, 200,000 messages", "at most 0.05 s", lambda m: at_most(m.seconds("idle-big"), 0.05, "s")),
    ("", "at most 1.5 times that of 1,000", lambda m: at_most(m.seconds("idle-big") / m.seconds("idle-small"), 1.5, "times")),
    ("the same without CONDSTORE", "not slower than mbsync", lambda m: times(m.faster("idle-plain", "mbsync-nz"), 1)),
    ("", "at most 64 MB", lambda m: at_most(m.peak("idle-plain"), 64, "MB")),
    ("100 new, 50 deleted, each side, 20,000, 50 ms", "twice as fast as mbsync", lambda m: times(m.faster("change", "mbsync-nz"), 2)),
    ("upload of 2,000 messages, 50 ms", "6 times faster than mbsync", lambda m: times(m.faster("upload", "mbsync-nz"), 6)),
    ("one message of 300 MB, down", "not slower than mbsync", lambda m: times(m.faster("huge", "mbsync-nz"), 1)),
    ("one message of 300 MB, up", "not slower than mbsync", lambda m: times(m.faster("huge-up", "mbsync-nz"), 1)),
    ("", "at most 24 MB", lambda m: at_most(m.peak("huge", "huge-up"), 24, "MB")),
    ("500 messages moved, on either side", "no body crosses the wire", no_body),
    ("POP3, 10,000 messages", "durable, not slower than mpop that is not", lambda m: times(m.faster("pop", "mpop-nosync"), 1)),
    ("the same on a disk", "8 times faster than mpop, both durable", lambda m: times(m.faster("pop-disk", "mpop"), 8)),
    ("POP3, nothing new, 50 ms", "at most two thirds of mpop", lambda m: times(m.faster("pop-idle", "mpop"), 1.5)),
    ("TLS against plain, 5,000 messages", "at most 1.3 times", lambda m: at_most(m.seconds("tls") / m.seconds("plain"), 1.3, "times")),
    ("peak memory of all but the one without CONDSTORE", "at most 40 MB", everywhere),
    ("start-up", "under 5 ms", lambda m: at_most(m.seconds("start") * 1000, 5, "ms")),
    ("", "program under 12 MB", lambda m: at_most(m.runs("start")[0]["size"], 12, "MB")),
]


def table(results, scale):
    """The goals that something was measured for, as Markdown."""
    lines, measured, last = ["| work | goal | measured | met |", "|---|---|---|---|"], Measured(results, scale), ""
    for work, goal, look in GOALS:
        last = work or last
        try:
            value, met = look(measured)
        except KeyError:
            continue
        lines.append(f"| {last} | {goal} | {value} | {'yes' if met else 'no'} |")
    return "\n".join(lines) if len(lines) > 2 else ""
