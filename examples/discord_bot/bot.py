"""A Discord bot that deletes messages which are not clean, and tells the moderators why.

pip install ./clients/python "discord.py>=2.7", then set DISCORD_TOKEN, KOBERT_URL, and if you need them KOBERT_API_KEY,
KOBERT_POLICY (rules of this server) and MODERATORS_CHANNEL (a channel's id). In Discord's developer portal, switch on
the "Message Content Intent"; the bot needs the permission to manage messages.
"""

import logging
import os

import discord

from kobert_client import AsyncClient, KobertClientError, Prediction

log = logging.getLogger("kobert-bot")


class ModerationBot(discord.Client):
    """Reads new and edited messages of people; leaves those of bots alone."""

    def __init__(self, kobert: AsyncClient, policy: str | None, moderators_channel: int | None) -> None:
        intents = discord.Intents.default()
        intents.message_content = True
        super().__init__(intents=intents)
        self.kobert = kobert
        self.options = {} if policy is None else {"policy": policy}
        self.moderators_channel = moderators_channel

    async def on_message(self, message: discord.Message) -> None:
        """Judge a new message."""
        if message.author.bot or not message.content.strip():
            return
        try:
            verdict = await self.kobert.predict(message.content, **self.options)
        except KobertClientError as error:
            # What cannot be judged stays: a service that is down must not silence the channel.
            log.warning("a message was not judged: %s", error)
            return
        if verdict.classification != "clean":
            await self._remove(message, verdict)

    async def on_message_edit(self, _before: discord.Message, after: discord.Message) -> None:
        """Judge an edited message."""
        await self.on_message(after)

    async def _remove(self, message: discord.Message, verdict: Prediction) -> None:
        await message.delete()
        # The writer is not shown which word it was.
        await message.channel.send(
            f"{message.author.mention} 운영 규칙에 맞지 않아 메시지를 지웠습니다.", delete_after=15
        )
        channel = None if self.moderators_channel is None else self.get_channel(self.moderators_channel)
        if isinstance(channel, discord.abc.Messageable):
            said = f"{message.author} ({verdict.classification} {verdict.confidence:.0%}): ||{message.content[:1500]}||"
            await channel.send(said, allowed_mentions=discord.AllowedMentions.none())


def main() -> None:
    """Run the bot until it is stopped."""
    channel = os.environ.get("MODERATORS_CHANNEL")
    kobert = AsyncClient(
        os.environ.get("KOBERT_URL", "http://localhost:8000"), api_key=os.environ.get("KOBERT_API_KEY")
    )
    bot = ModerationBot(kobert, os.environ.get("KOBERT_POLICY"), None if channel is None else int(channel))
    bot.run(os.environ["DISCORD_TOKEN"])


if __name__ == "__main__":
    main()
