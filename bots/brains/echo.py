"""The echo brain: it says what you say."""

from bots.api import Question
from bridge.model.text import Text, words


class Echo:
    """Sends back the words of the question, or quacks if there are none."""

    async def reply(self, question: Question) -> Text | None:
        return question.text or words("Quack!")
