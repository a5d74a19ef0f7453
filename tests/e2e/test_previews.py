"""Programs that open a link before its user does, such as messenger previews and mail
scanners, follow links and spend no use."""

import re
import urllib.parse

from jeton import REST, Case, World
from operators import Operator

# The user agents of real services.
USER_AGENTS = [
    "WhatsApp/2.23.20.0 A",
    "TelegramBot (like TwitterBot)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Twitterbot/1.0",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/120.0.0.0 Safari/537.36 Edg/120.0.0.0 MicrosoftSafeLinks",
    "Mozilla/5.0 (compatible; Microsoft Defender for Office 365)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_5) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/13.1.1 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
]


class Previews(Case):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World().with_signing_key())
        cls.world.serve()
        cls.operator = Operator(cls.world)

    def preview(self, target, user_agent):
        """Requests a page as such programs do: with HEAD and GET, several times."""
        headers = [f"User-Agent: {user_agent}", "Accept: */*"]
        return [self.world.get(target, method, headers) for method in ("HEAD", "GET", "GET")]

    def test_previews_of_a_share_page_spend_no_use(self):
        minted = self.operator.mint()
        for user_agent in USER_AGENTS:
            for answer in self.preview(f"/t/{minted.token}", user_agent):
                self.assertEqual(answer.status, 200, user_agent)
                self.assertEqual(answer.header("Content-Type"), "text/html; charset=utf-8")
        self.assertEqual(self.operator.listed()[minted.id]["used"], 0)
        self.assert_profile(self.world.get(f"/t/{minted.token}", method="POST"), "alice")
        self.assert_refused_page(minted)

    def assert_refused_page(self, minted):
        answer = self.world.get(f"/t/{minted.token}", headers=["Accept: text/html"])
        self.assertEqual(answer.status, 410)
        self.assertIn("used up", answer.body.decode())

    def test_following_every_link_of_a_share_page_gives_no_profile(self):
        minted = self.operator.mint()
        page = self.world.get(f"/t/{minted.token}").body.decode()
        plain = re.sub(r"openvpn://import-profile/https://[^\s\"'<>]+", "", page)
        self.assertNotIn(REST, plain, "only OpenVPN Connect has a link to the file")
        targets = re.findall(r"""(?:href|src|action|content)=["']?([^"'\s>]+)""", page)
        self.assertIn(f"openvpn://import-profile/{self.world.url}{REST}/{minted.token}", targets)
        for target in targets:
            parts = urllib.parse.urlsplit(urllib.parse.urljoin(minted.share_url, target))
            if parts.netloc == urllib.parse.urlsplit(self.world.url).netloc:
                for answer in self.preview(parts.path, USER_AGENTS[0]):
                    self.assertFalse(answer.is_profile, target)
        self.assertEqual(self.operator.listed()[minted.id]["used"], 0)

    def test_a_preview_does_not_reveal_the_token(self):
        """Messengers show the title and the meta elements."""
        minted = self.operator.mint()
        page = self.world.get(f"/t/{minted.token}").body.decode()
        for shown in re.findall(r"<title>.*?</title>|<meta[^>]*>", page):
            self.assertNotIn(minted.token[:20], shown)
        self.assertIn('<meta name="robots" content="noindex">', page)
