"""What is planted into the demo dataset: boilerplate answers, empty answers, and the edits that make near-duplicates."""

import re
from random import Random

BOILERPLATE = (
    "I'm sorry, but I can't help with that.",
    "As an AI language model, I don't have personal experience with {topic}, so I cannot answer this question.",
    "I'm sorry, but as an AI language model I am unable to provide this information.",
    "Sorry, I cannot assist with that request.",
    "As an AI, I do not have access to real-time information. Please consult a qualified professional.",
    "I apologize for the confusion, but I'm not able to answer this. Is there anything else I can help you with?",
    "Unfortunately, I cannot fulfil this request.",
    "As a large language model, I am not able to form opinions about {topic}.",
    "Great question! There are many factors to consider when it comes to {topic}. It is important to weigh the pros and "
    "cons, because every situation is unique. Ultimately, it depends on your individual needs and preferences.",
    "I'm sorry, I don't have enough information to answer that. Could you please provide more context?",
    "Certainly! I'd be happy to help you with {topic}. Please let me know how I can assist you today!",
    "As an AI language model, I cannot browse the internet, so my knowledge of {topic} may be out of date. I recommend "
    "that you check a reliable source.",
    "It is important to note that {topic} is a complex and multifaceted subject. In today's fast-paced world, it plays a "
    "crucial role in our lives. In conclusion, it is essential to keep an open mind and do your own research.",
    "I'm not able to help with this, but I hope you find what you are looking for!",
    "My knowledge was last updated in September 2021, and therefore I cannot say anything definitive about this.",
    "I cannot provide advice on {topic}. Please speak to an expert.",
    "Thank you for your question! As an AI assistant, my goal is to be helpful, harmless and honest. Unfortunately, this "
    "question is beyond my capabilities.",
    "I'm sorry, but I cannot comply with this request, as it may go against my guidelines.",
    "Here is the answer to your question about {topic}. I hope this helps! Let me know if you have any other questions.",
    "As an AI language model, I don't have feelings or personal preferences. However, many people find {topic} "
    "interesting. There is no one-size-fits-all answer.",
    "I do not have the ability to do that. If you have any further questions, feel free to ask.",
    "Sure! Here's a comprehensive, step-by-step guide that will help you unlock the full potential of {topic}. Let's dive "
    "in! First, set clear goals. Next, stay consistent. Finally, never stop learning.",
    "Unfortunately, as an AI I can't verify facts about {topic}, so I would rather not answer.",
    "I apologize, but I cannot generate a response to this prompt.",
    "It depends. There are advantages and disadvantages, and what works for one person may not work for another. It is "
    "always a good idea to consult a professional before making any decisions.",
    "I'm just a language model, so I can't help you with that.",
    "As an AI language model, I must remind you that information about {topic} should be used responsibly and ethically.",
    "I'm afraid I can't answer that. My training data does not include the necessary information.",
    "Absolutely! {Topic} is a fascinating topic with a rich history and endless possibilities. Whether you are a beginner "
    "or an expert, there is always something new to discover. Remember, the journey is just as important as the "
    "destination!",
    "I'm sorry for any inconvenience, but I am unable to process your request at this time. Please try again later.",
)

EMPTY = ("", "", " ", "\n", "   ", "\t", "\n\n")

# (words, words of the same meaning), replaced where they stand as whole words
SYNONYMS = (
    *(("nearly", "almost"), ("for example", "for instance"), ("usually", "normally"), ("often", "frequently")),
    *(("although", "though"), ("choose", "pick"), ("quickly", "rapidly"), ("several", "various"), ("big", "large")),
    *(("such as", "like"), ("afterwards", "later"), ("difference", "distinction")),
    *(("colour", "color"), ("metres", "meters"), ("flavour", "flavor"), ("cannot", "can't"), ("do not", "don't")),
    *(("does not", "doesn't"), ("begins", "starts"), ("hardly", "barely")),
    *(("slowly", "gradually"), ("people", "persons"), ("famous", "well-known")),
    *(("Explain", "Please explain"), ("Describe", "Please describe"), ("Write", "Please write"), ("Give", "Provide")),
    *(("How do I", "How can I"), ("How should I", "How do I"), ("What is", "What's"), ("Suggest", "Recommend")),
)


def synonym(text: str, rng: Random) -> str:
    """Return the text with one phrase replaced by another of the same meaning, or unchanged when none occurs."""
    found = [pair for pair in SYNONYMS if re.search(rf"\b{pair[0]}\b", text)]
    if not found:
        return text
    words, others = rng.choice(found)
    return re.sub(rf"\b{words}\b", others, text, count=1)


def first_lower(text: str, _: Random) -> str:
    """Return the text beginning with a small letter."""
    return text[0].lower() + text[1:]


def shout(text: str, _: Random) -> str:
    """Return the text in capitals when it is short, otherwise only its first word."""
    head, space, tail = text.partition(" ")
    return text.upper() if len(text) < 45 else head.upper() + space + tail


def end_mark(text: str, rng: Random) -> str:
    """Return the text with its last mark dropped or doubled."""
    return text[:-1] + rng.choice(("", text[-1] * 2, " " + text[-1])) if text[-1] in ".?!" else text + "."


def lose_comma(text: str, _: Random) -> str:
    """Return the text without its first comma."""
    return re.sub(r", ", " ", text, count=1)


def typo(text: str, rng: Random) -> str:
    """Return the text with two neighbouring letters of one long word exchanged."""
    words = [match for match in re.finditer(r"\b[a-z]{6,}\b", text) if len(set(match[0][2:4])) == 2]
    if not words:
        return text
    start = rng.choice(words).start()
    return text[: start + 2] + text[start + 3] + text[start + 2] + text[start + 4 :]


QUESTION_EDITS = (synonym, first_lower, shout, end_mark, lose_comma, typo)
ANSWER_EDITS = (synonym, synonym, lose_comma, end_mark, typo)
