"""The echo brain: it says what you say, and answers what strangers ask first."""

from bots import faq
from bots.api import Question
from bridge.model.text import Text, words


class Echo:
    """Answers the questions of `bots.faq`, else sends back the words of the question, or quacks if there are none."""

    async def reply(self, question: Question) -> Text | None:
        return faq.answer(question) or question.text or words("Quack!")
