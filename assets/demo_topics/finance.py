"""Personal finance: terms, and sums about interest, budgets, prices and currencies."""

from random import Random

from demo_topics.rows import Row, pick, read_prose, sentence

# (term, definition, an example or a remark)
TERMS = (
    ("asset", "something you own that has value", "Savings, shares and a paid-off bicycle all count."),
    ("liability", "money that you owe", "A car loan and an unpaid dentist's bill belong here."),
    ("net worth", "what you own minus what you owe", "It can be negative, as it is for many students."),
    (
        "dividend",
        "a share of a company's profit that is paid to its shareholders",
        "Young companies often pay none and invest the money instead.",
    ),
    (
        "bond",
        "a loan to a state or a company that pays interest until it is repaid",
        "The longer it runs, the more its price reacts to interest rates.",
    ),
    (
        "principal",
        "the sum originally borrowed or invested, without interest",
        "In a loan of 5,000 at 6 percent, the principal is 5,000.",
    ),
    (
        "liquidity",
        "how quickly something can be turned into cash without losing value",
        "A current account is very liquid, a house is not.",
    ),
    ("collateral", "property that a lender may take if a loan is not repaid", "For a mortgage it is the home itself."),
    (
        "overdraft",
        "the amount by which an account has been drawn below zero",
        "Interest on it is usually among the highest a bank charges.",
    ),
    (
        "deductible",
        "the part of a loss that you pay yourself before insurance pays",
        "A higher one makes the premium cheaper.",
    ),
    ("capital gain", "the profit from selling something for more than you paid", "In many countries it is taxed."),
    (
        "fixed cost",
        "an expense that stays the same each month, such as rent",
        "Cutting one of these saves money without any further effort.",
    ),
)
ASK_TERM = (
    'What does "{0}" mean?',
    'Define "{0}" and give a remark or an example.',
    'Explain the word "{0}" as you would to a neighbour.',
)

# (daily or weekly pleasure, price, times a week)
PLEASURES = (
    ("a coffee to go", 4, 5),
    ("a lottery ticket", 3, 1),
    ("lunch from the canteen", 9, 4),
    ("a pack of cigarettes", 8, 7),
    ("a cinema evening", 14, 1),
)

# (product, small pack (grams, price), large pack (grams, price))
PACKS = (
    ("coffee", (250, 4.00), (1000, 13.00)),
    ("muesli", (500, 3.00), (750, 4.80)),
    ("rice", (500, 1.50), (2000, 5.00)),
    ("olives", (200, 2.20), (400, 4.60)),
)

# (advice to check, is it sound, why)
CLAIMS = (
    (
        "If you pay the minimum on your card each month, you owe no interest.",
        False,
        "Interest runs on everything that is left unpaid.",
    ),
    (
        "An index fund usually costs less per year than an actively managed one.",
        True,
        "Nobody has to be paid for picking shares.",
    ),
    (
        "Someone who guarantees a return of 3 percent per month is probably running a fraud.",
        True,
        "That would be more than 40 percent a year, and nobody can promise it.",
    ),
    (
        "Closing a bank account is the best way to stop a wrong direct debit.",
        False,
        "You can have the debit returned and the mandate cancelled.",
    ),
    (
        "Inflation of 4 percent makes cash under the mattress lose value.",
        True,
        "The notes stay the same, but they buy about 4 percent less after a year.",
    ),
    (
        "A longer loan is cheaper because the instalments are smaller.",
        False,
        "You pay interest for more months, so the total is higher.",
    ),
)


def rows(rng: Random) -> list[Row]:
    """Return all personal finance rows."""
    made = read_prose("finance")
    for index, (term, definition, remark) in enumerate(TERMS):
        forms = (
            f"It means {definition}.",
            f"{sentence(definition)}. {remark}",
            f"Simply put, it is {definition}. {remark}",
        )
        output, wrong = pick(forms, index), TERMS[(index + 5) % len(TERMS)][1]
        made.append(
            Row(
                pick(ASK_TERM, index).format(term),
                output,
                false=output.replace(definition, wrong).replace(sentence(definition), sentence(wrong)),
            )
        )
    for index, (claim, sound, why) in enumerate(CLAIMS):
        ask = pick(("Is this advice sound?", "Right or wrong?"), index)
        verdicts = pick((("Yes.", "No."), ("Right.", "Wrong.")), index)
        made.append(Row(ask, f"{verdicts[not sound]} {why}", claim, verdicts[sound]))
    made += [_pleasure(index, *pleasure) for index, pleasure in enumerate(PLEASURES)]
    made += [_packs(index, *packs) for index, packs in enumerate(PACKS)]
    for problem in PROBLEMS:
        made += [problem(rng, index) for index in range(3)]
    return made


def _money(value: float) -> str:
    return f"{value:,.2f}".removesuffix(".00")


def _pleasure(index: int, what: str, price: int, times: int) -> Row:
    year = price * times * 52
    asks = (
        f"{sentence(what)} costs {price} and I buy it {times} times a week. What does that add up to in a year?",
        f"How much do I spend in 52 weeks if I pay {price} for {what} {times} times a week?",
    )
    style = pick(
        (f"{price} × {times} × 52 = {{}}. That is worth knowing, even if you decide to keep it.", "{} a year"), index
    )
    ask = pick(asks, index).replace("1 times a week", "once a week")
    return Row(ask, style.format(_money(year)), false=style.format(_money(year / 4)))


def _packs(index: int, product: str, small: tuple[int, float], large: tuple[int, float]) -> Row:
    (small_grams, small_price), (large_grams, large_price) = small, large
    per_small, per_large = small_price / small_grams * 1000, large_price / large_grams * 1000
    winner, loser = ("small", "large") if per_small < per_large else ("large", "small")
    prices = (
        f"The small one costs {_money(per_small)} per kilo and the large one {_money(per_large)}, so the {{}} pack is "
        "the better buy."
    )
    asks = ("Which pack is cheaper per kilogram?", "Compare the prices and tell me which size to buy.")
    given = f"{product}: {small_grams} g for {small_price:.2f} or {large_grams} g for {large_price:.2f}"
    return Row(pick(asks, index), prices.format(winner), given, prices.format(loser))


def _simple(rng: Random, index: int) -> Row:
    sum_, rate, years = rng.randint(5, 60) * 100, rng.choice((2, 3, 4, 5)), rng.randint(2, 6)
    interest = sum_ * rate * years / 100
    ask = pick(
        (
            "How much simple interest do {0} earn in {2} years at {1}% a year?",
            "Find the interest on {0} at a simple yearly rate of {1}% over {2} years.",
        ),
        index,
    )
    style = pick((f"{sum_:,} × {rate / 100} × {years} = {{}}", "{}"), index)
    return Row(
        ask.format(f"{sum_:,}", rate, years), style.format(_money(interest)), false=style.format(_money(interest * 2))
    )


def _compound(rng: Random, index: int) -> Row:
    sum_, rate, years = rng.randint(2, 20) * 500, rng.choice((2, 3, 4, 5, 6)), rng.choice((5, 10, 20))
    final = sum_ * (1 + rate / 100) ** years
    ask = pick(
        (
            "I invest {0} at {1}% with yearly compounding. What is it worth after {2} years?",
            "What do {0} grow to in {2} years at {1}% compound interest?",
        ),
        index,
    )
    output = f"{sum_:,} × {1 + rate / 100:.2f}^{years} is about {{:,.0f}}."
    return Row(ask.format(f"{sum_:,}", rate, years), output.format(final), false=output.format(final * 1.4))


def _split(rng: Random, index: int) -> Row:
    income = rng.randint(12, 48) * 100
    parts = [income * share // 100 for share in (50, 30, 20)]
    ask = pick(
        (
            "Apply the 50/30/20 rule to a monthly income of {0}.",
            "My take-home pay is {0}. How would the 50/30/20 budget divide it?",
            "Half for needs, 30 percent for wants, the rest to save: what does that mean for {0} a month?",
        ),
        index,
    )
    style = pick(
        (
            "Needs: {0:,}\nWants: {1:,}\nSavings: {2:,}",
            "{0:,} for needs, {1:,} for wants and {2:,} for savings and debt.",
        ),
        index,
    )
    return Row(ask.format(f"{income:,}"), style.format(*parts), false=style.format(parts[1], parts[2], parts[0] + 100))


def _doubling(rng: Random, index: int) -> Row:
    rate = (3, 6, 8)[index]
    ask = pick(
        (
            "Use the rule of 72: how long until money doubles at {0}%?",
            "At {0}% a year, roughly how many years does it take savings to double?",
            "In how many years does an investment growing by {0}% double? An estimate is enough.",
        ),
        index,
    )
    return Row(
        ask.format(rate),
        f"72 ÷ {rate} = {72 // rate}, so about {72 // rate} years.",
        false=f"72 ÷ {rate} = {72 // rate + 7}, so about {72 // rate + 7} years.",
    )


def _goal(rng: Random, index: int) -> Row:
    months, monthly = rng.choice((6, 8, 10, 12, 18)), rng.randint(4, 25) * 10
    what = ("a used car", "a trip to Norway", "a new laptop")[index]
    ask = f"I want to save {months * monthly:,} for {what} in {months} months. How much must I put aside each month?"
    output = pick(("{} a month.", f"{months * monthly:,} ÷ {months} = {{}}"), index)
    return Row(ask, output.format(monthly), false=output.format(monthly + 35))


def _exchange(rng: Random, index: int) -> Row:
    euros, rate, fee = rng.randint(4, 30) * 25, rng.choice((1.1, 1.2, 1.25)), rng.choice((2, 4, 5))
    dollars = round(euros * rate - fee, 2)
    asks = (
        (
            f"One euro buys {rate} dollars. The bank keeps a fee of {fee} dollars. How many dollars do I get for "
            f"{euros} euros?"
        ),
        (
            f"At a rate of {rate} dollars to the euro and a charge of {fee} dollars, what are {euros} euros worth at "
            "the counter?"
        ),
        f"Exchange rate {rate} dollars per euro, commission {fee} dollars: convert {euros} euros.",
    )
    output = pick(
        (
            f"{euros} × {rate} = {_money(round(euros * rate, 2))}; minus the fee of {fee} that leaves {{}} dollars.",
            "{} dollars",
        ),
        index,
    )
    return Row(asks[index], output.format(_money(dollars)), false=output.format(_money(dollars + 2 * fee)))


PROBLEMS = (_simple, _compound, _split, _doubling, _goal, _exchange)
