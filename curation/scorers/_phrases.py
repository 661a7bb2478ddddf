"""The phrases that mark refusals and boilerplate, by language, in the form that `boilerplate.plain` gives."""

from __future__ import annotations

# fmt: off
_CANNOT = (
    "i can't", "i cannot", "i am unable to", "i'm unable to", "i am not able to", "i'm not able to",
    "i won't be able to",
)
_DO = (
    "assist", "help with", "help you", "provide", "fulfill", "fulfil", "comply", "answer", "generate", "access",
    "browse",
)

REFUSALS: dict[str, tuple[str, ...]] = {
    "en": (
        *(f"{cannot} {do}" for cannot in _CANNOT for do in _DO),
        "i'm sorry, but i", "i am sorry, but i", "i'm sorry, i can", "i apologize, but i", "sorry, but i can't",
        "sorry, i can't", "i must decline", "i do not have access to", "i don't have access to",
        "i do not have the ability to", "i don't have the ability to", "i do not have personal",
        "i don't have personal", "this request violates", "against my programming",
    ),
    "zh": (
        "抱歉,我无法", "抱歉,我不能", "抱歉,但我", "对不起,我无法", "对不起,我不能", "我无法提供", "我不能提供",
        "我无法回答", "我不能回答", "无法回答这个问题", "我无法完成", "我无法满足", "无法满足您的要求",
        "我无法帮助", "我无法访问", "我没有能力", "抱歉,我無法", "抱歉,我不能", "對不起,我無法", "對不起,我不能",
        "我無法提供", "我無法回答", "無法回答這個問題", "我無法完成",
    ),
    "ja": (
        "申し訳ありませんが", "申し訳ございませんが", "お手伝いできません", "お答えできません",
        "お答えすることはできません", "提供することはできません", "ご要望にはお応えできません",
    ),
    "ko": (
        "죄송하지만", "죄송합니다만", "도와드릴 수 없", "답변할 수 없", "답변드릴 수 없", "제공할 수 없",
    ),
    "th": (
        "ขออภัย ฉันไม่สามารถ", "ขอโทษ ฉันไม่สามารถ", "ขออภัย ผมไม่สามารถ",
    ),
    "es": (
        "lo siento, pero no", "lo siento, no puedo", "no puedo ayudarte con", "no puedo proporcionar",
        "no puedo cumplir",
    ),
    "fr": (
        "je suis désolé, mais je", "je suis désolée, mais je", "désolé, mais je ne", "je ne peux pas vous aider",
        "je ne peux pas t'aider", "je ne peux pas fournir", "je ne suis pas en mesure de",
    ),
    "de": (
        "es tut mir leid, aber ich", "tut mir leid, aber ich kann", "ich kann dir dabei nicht",
        "ich kann ihnen dabei nicht", "ich kann diese anfrage nicht", "ich bin nicht in der lage",
    ),
    "pt": (
        "desculpe, mas não", "sinto muito, mas não", "não posso ajudar", "não posso fornecer",
        "não consigo fornecer",
    ),
    "it": (
        "mi dispiace, ma non", "non posso aiutarti", "non posso aiutarla", "non posso fornire",
    ),
    "ru": (
        "извините, но я", "простите, но я не", "к сожалению, я не могу", "я не могу помочь",
        "я не могу предоставить",
    ),
    "ar": (
        "عذرًا، لا يمكنني", "عذرا، لا يمكنني", "آسف، لكن لا", "أعتذر، لكن لا",
    ),
}
"""How refusals open."""

BOILERPLATE: dict[str, tuple[str, ...]] = {
    "en": (
        "as an ai language model", "as an ai assistant", "as a language model", "as a large language model",
        "as an ai,", "as an artificial intelligence", "i am an ai language model", "i'm an ai language model",
        "i am just an ai", "knowledge cutoff", "my last knowledge update", "i hope this helps", "hope that helps!",
        "let me know if you have any", "is there anything else i can", "feel free to ask",
        "please let me know if you need", "click here to", "all rights reserved", "subscribe to our newsletter",
        "terms and conditions apply", "lorem ipsum", "<nooutput>", "<no output>", "<noinput>", "nooutput",
        "no output needed", "your answer here", "[insert", "to be continued...", "in today's fast-paced world",
        "let's dive in", "great question!", "i'd be happy to help", "i would be happy to help", "assist you today",
        "unlock the full potential of", "every situation is unique", "endless possibilities",
    ),
    "zh": (
        "作为一个人工智能", "作为一名人工智能", "作为人工智能", "作为一个ai", "作为一名ai", "作为ai",
        "作为一个语言模型", "作为一个大型语言模型", "我是一个人工智能", "我只是一个人工智能", "我是一个ai",
        "希望这对您有帮助", "希望对您有帮助", "希望对你有帮助", "希望对您有所帮助", "如果您还有其他问题",
        "如果你还有其他问题", "如有任何疑问", "版权所有", "点击这里", "无输出", "没有输出", "作為一個人工智能",
        "作為一個人工智慧", "作為一個ai", "作為一個語言模型", "希望這對您有幫助", "如果您還有其他問題", "版權所有",
    ),
    "ja": (
        "aiとして", "aiアシスタントとして", "言語モデルとして", "お役に立てれば幸いです",
        "ご不明な点がございましたら",
    ),
    "ko": (
        "ai 언어 모델로서", "인공지능 언어 모델로서", "ai로서", "도움이 되었기를", "추가 질문이 있으시면",
    ),
    "th": (
        "ในฐานะโมเดลภาษา", "ในฐานะ ai", "หวังว่าจะเป็นประโยชน์",
    ),
    "es": (
        "como modelo de lenguaje", "como una ia", "espero que esto te ayude", "todos los derechos reservados",
    ),
    "fr": (
        "en tant que modèle de langage", "en tant qu'ia", "j'espère que cela vous aide", "tous droits réservés",
    ),
    "de": (
        "als ki-sprachmodell", "als sprachmodell", "ich hoffe, das hilft", "alle rechte vorbehalten",
    ),
    "pt": (
        "como um modelo de linguagem", "como uma ia", "espero que isso ajude", "todos os direitos reservados",
    ),
    "it": (
        "come modello linguistico", "come ia", "spero che questo ti aiuti", "tutti i diritti riservati",
    ),
    "ru": (
        "как языковая модель", "как искусственный интеллект", "надеюсь, это поможет", "все права защищены",
    ),
}
"""Set phrases that carry nothing, and leftovers of generators and web pages."""
