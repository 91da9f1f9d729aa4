"""The words, tickers and authors of made-up posts."""

from __future__ import annotations

from itertools import accumulate

# Most talked about first.
TICKERS = (
    "AAPL", "TSLA", "NVDA", "AMZN", "MSFT", "GOOG", "META", "AMD", "NFLX", "JPM", "BAC", "DIS", "INTC",
    "XOM", "BA", "WMT", "PFE", "GE", "F", "T", "KO", "CVX", "UNH", "CAT", "BRK.B",
)  # fmt: skip
TICKER_WEIGHTS = tuple(accumulate(1 / (rank + 1.5) for rank in range(len(TICKERS))))

# Rarely mentioned on other days, so that a wave of posts stands out.
SPIKE_TICKERS = TICKERS[12:24]

PHRASES = (
    "{0} beats on earnings, strong guidance for next quarter",
    "{0} misses on revenue, weak outlook, expect a drop",
    "Bullish on {0} here, nice breakout above resistance",
    "Bearish on {0}, support is broken and volume is high",
    "{0} upgraded to buy at a large broker, price target raised",
    "{0} downgraded to sell, analysts fear more losses",
    "{0} up {n}% in the first hour, strong rally",
    "{0} down {n}% after hours, ugly decline",
    "Sold half of my {0} position, taking profit",
    "Adding to {0} on this dip, great value for the long run",
    "{0} option flow: {n},000 calls bought for next week",
    "Watching {0} into the close, nothing to do yet",
    "{0} faces a lawsuit over its accounting, risk of a plunge",
    "{0} announces record growth and a higher dividend",
    "Chart of the day: {0}, what do you think?",
    "{0} vs {1}: which one is the better buy?",
    "Rotation out of {0} into {1} today, gains in the one, losses in the other",
    "Top movers this morning: {0} {1} {2}",
    "My watch list for tomorrow: {0}, {1} &amp; {2}",
    "Sector looks strong, {0} {1} {2} all at a new high",
)
CASHTAGS_IN = tuple(sum(f"{{{index}}}" in phrase for index in range(3)) for phrase in PHRASES)

SPIKE_PHRASES = (
    "BREAKING: {0} in talks to be bought, shares surge {n}%",
    "{0} halted, news pending. Wow",
    "{0} short squeeze, up {n}% and strong volume",
    "Anyone else in {0}? Huge gains today",
    "{0} to the moon, best day in years",
)
SPAM_PHRASES = (
    "Join our chat room for the best picks like {0}, free this week!",
    "I made {n}00 dollars on {0} with this one system",
)
AFTERTHOUGHTS = (" (fixed the ticker)", " Edit: not advice.", " Edit: numbers corrected", " - updated")

AUTHOR_COUNT = 240
_NAMES = (
    "alpha",
    "chart",
    "delta",
    "macro",
    "swing",
    "value",
    "tape",
    "bull",
    "bear",
    "index",
    "rate",
    "hedge",
)
_CRAFTS = ("trader", "watch", "desk", "hawk", "notes", "guy", "lady", "report", "daily", "alerts")


def author(number: int) -> tuple[str, str]:
    """The id and the screen name of one of the authors."""
    name = f"{_NAMES[number % 12]}_{_CRAFTS[number // 12 % 10]}{number:03d}"
    return str(10_204_080 + number * 7_919), name
