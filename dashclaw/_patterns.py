"""What secrets look like: one table for the client's redactor, the server and the scanner.

A secret is known by how it starts (`TOKENS`), or by the name before it (`_detect.py`).
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Pattern, Tuple

from ._regex import regex


class Kind(NamedTuple):
    """One kind of finding."""

    name: str
    category: str
    severity: str


class Token(NamedTuple):
    """A secret that starts with `prefix` and goes on with `least` to `most` characters of `body`.

    `weak`: the prefix also starts ordinary words, so that the rest must look random.
    """

    kind: Kind
    prefix: str
    body: Pattern[str]
    least: int
    most: int
    weak: bool


_HEX = regex(r"[0-9a-f]{0,300}")
_UPPER = regex(r"[A-Z0-9]{0,300}")
_ALNUM = regex(r"[A-Za-z0-9]{0,300}")
_URLSAFE = regex(r"[A-Za-z0-9_\-]{0,4096}")
_DOTTED = regex(r"[A-Za-z0-9_\-.]{0,4096}")
_BASE64 = regex(r"[A-Za-z0-9_\-.+/=]{0,4096}")

_ROWS: Tuple[Tuple[str, str, str, Pattern[str], int, int], ...] = (
    # Model providers
    ("anthropic_key", "api_key", "sk-ant-", _URLSAFE, 16, 200),
    ("openrouter_key", "api_key", "sk-or-v1-", _HEX, 64, 64),
    ("langfuse_key", "api_key", "sk-lf-", _URLSAFE, 36, 36),
    ("openai_key", "api_key", "sk-proj- sk-svcacct- sk-admin- sk-None-", _URLSAFE, 20, 220),
    ("openai_key", "api_key", "sk-?", _URLSAFE, 20, 220),
    ("huggingface_token", "token", "hf_ api_org_", _ALNUM, 34, 40),
    ("groq_key", "api_key", "gsk_", _ALNUM, 48, 60),
    ("xai_key", "api_key", "xai-", _ALNUM, 70, 90),
    ("perplexity_key", "api_key", "pplx-", _ALNUM, 40, 64),
    ("replicate_token", "token", "r8_", _ALNUM, 37, 40),
    ("cerebras_key", "api_key", "csk-", _ALNUM, 40, 64),
    ("fireworks_key", "api_key", "fw_?", _ALNUM, 20, 40),
    ("nvidia_key", "api_key", "nvapi-", _URLSAFE, 60, 80),
    ("langsmith_key", "api_key", "lsv2_pt_ lsv2_sk_", _URLSAFE, 40, 60),
    ("pinecone_key", "api_key", "pcsk_", _URLSAFE, 50, 90),
    ("tavily_key", "api_key", "tvly-", _URLSAFE, 24, 60),
    ("elevenlabs_key", "api_key", "sk_?", _HEX, 48, 48),
    # Clouds
    ("aws_access_key", "cloud_credential", "AKIA ASIA ABIA ACCA", _UPPER, 16, 16),
    ("aws_access_key", "cloud_credential", "A3T", _UPPER, 17, 17),
    ("aws_bedrock_key", "cloud_credential", "ABSK", _BASE64, 100, 270),
    ("google_api_key", "api_key", "AIza", _URLSAFE, 35, 42),
    ("google_oauth_secret", "cloud_credential", "GOCSPX-", _URLSAFE, 28, 28),
    ("google_oauth_token", "token", "ya29.", _URLSAFE, 20, 2048),
    ("alibaba_access_key", "cloud_credential", "LTAI", _ALNUM, 17, 26),
    ("tencent_secret_id", "cloud_credential", "AKID", _ALNUM, 28, 40),
    ("digitalocean_token", "token", "dop_v1_ doo_v1_ dor_v1_", _HEX, 64, 64),
    ("yandex_key", "cloud_credential", "AQVN", _URLSAFE, 35, 40),
    ("heroku_key", "api_key", "HRKU-", _URLSAFE, 36, 64),
    ("flyio_token", "token", "fo1_ fm1r_ fm1a_ fm2_", _BASE64, 40, 4096),
    ("netlify_token", "token", "nfp_", _ALNUM, 36, 40),
    ("supabase_key", "api_key", "sbp_ sb_secret_", _URLSAFE, 30, 64),
    ("planetscale_token", "token", "pscale_tkn_ pscale_pw_ pscale_oauth_", _DOTTED, 32, 64),
    ("databricks_token", "token", "dapi", _HEX, 32, 32),
    ("vault_token", "token", "hvs. hvb. hvr.", _URLSAFE, 24, 300),
    ("doppler_token", "token", "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.", _DOTTED, 40, 64),
    ("pulumi_token", "token", "pul-", _HEX, 40, 40),
    ("scalingo_token", "token", "tk-us-", _URLSAFE, 48, 48),
    ("infracost_key", "api_key", "ico-", _ALNUM, 32, 32),
    # Code and packages
    ("github_token", "token", "ghp_ gho_ ghu_ ghs_ ghr_", _ALNUM, 36, 255),
    ("github_fine_grained_token", "token", "github_pat_", _URLSAFE, 22, 255),
    ("gitlab_token", "token", "glpat- gldt- glrt- glcbt- glptt- glft- glsoat- glimt- glagent-", _DOTTED, 20, 64),
    ("gitlab_token", "token", "GR1348941", _URLSAFE, 20, 20),
    ("bitbucket_token", "token", "ATBB", _ALNUM, 24, 40),
    ("atlassian_token", "token", "ATATT3 ATCTT3", _BASE64, 60, 250),
    ("npm_token", "token", "npm_", _ALNUM, 36, 36),
    ("pypi_token", "token", "pypi-", _URLSAFE, 80, 300),
    ("rubygems_key", "api_key", "rubygems_", _HEX, 48, 48),
    ("crates_token", "token", "cio", _ALNUM, 32, 32),
    ("nuget_key", "api_key", "oy2", _ALNUM, 43, 43),
    ("clojars_token", "token", "CLOJARS_", _ALNUM, 50, 80),
    ("docker_token", "token", "dckr_pat_ dckr_oat_", _URLSAFE, 20, 64),
    ("artifactory_key", "api_key", "AKCp", _ALNUM, 60, 72),
    ("artifactory_key", "api_key", "cmVmdGtu", _ALNUM, 50, 64),
    ("buildkite_token", "token", "bkua_", _ALNUM, 40, 40),
    ("circleci_token", "token", "CCIPAT_ CCIPRJ_", _URLSAFE, 40, 80),
    ("sonar_token", "token", "sqp_ squ_ sqa_", _HEX, 40, 40),
    ("prefect_key", "api_key", "pnu_ pnb_", _ALNUM, 36, 36),
    # Payments and commerce
    (
        "stripe_key",
        "api_key",
        "sk_live_ sk_test_ rk_live_ rk_test_ pk_live_ pk_test_ rk_prod_ sk_prod_",
        _ALNUM,
        10,
        250,
    ),
    ("stripe_webhook_secret", "api_key", "whsec_", _BASE64, 24, 80),
    ("square_token", "token", "sq0atp- sq0csp- sq0idp-", _URLSAFE, 22, 43),
    ("square_token", "token", "EAAA", _URLSAFE, 56, 64),
    ("facebook_token", "token", "EAAC EAAB EAAG EAAM", _ALNUM, 60, 300),
    ("shopify_token", "token", "shpat_ shpss_ shpca_ shppa_ shptka_", _ALNUM, 32, 32),
    ("flutterwave_key", "api_key", "FLWSECK- FLWSECK_TEST- FLWPUBK_TEST-", _URLSAFE, 12, 40),
    ("plaid_token", "token", "access-sandbox- access-development- access-production-", _URLSAFE, 36, 36),
    ("easypost_key", "api_key", "EZAK EZTK", _ALNUM, 54, 54),
    ("shippo_token", "token", "shippo_live_ shippo_test_", _HEX, 40, 40),
    ("duffel_token", "token", "duffel_live_ duffel_test_", _URLSAFE, 40, 48),
    # Messages and mail
    ("slack_token", "token", "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- xoxc- xoxd- xapp- xoxe.", _DOTTED, 12, 250),
    ("sendgrid_key", "api_key", "SG.", _DOTTED, 60, 70),
    ("sendinblue_key", "api_key", "xkeysib- xsmtpsib-", _URLSAFE, 60, 90),
    ("mailgun_key", "api_key", "key-", _HEX, 32, 32),
    ("resend_key", "api_key", "re_?", _URLSAFE, 24, 40),
    ("twilio_key", "api_key", "SK", _HEX, 32, 32),
    # Operations and work
    ("dropbox_token", "token", "sl.", _DOTTED, 100, 2000),
    ("mongodb_token", "token", "mdb_sa_sk_", _URLSAFE, 38, 44),
    ("adafruit_key", "api_key", "aio_", _ALNUM, 24, 32),
    ("akamai_token", "token", "akab-", _URLSAFE, 24, 60),
    ("amazon_mws_token", "token", "amzn.mws.", _URLSAFE, 30, 40),
    ("frameio_token", "token", "fio-u-", _URLSAFE, 60, 70),
    ("cloudflare_token", "token", "cfut_ cfat_ cfk_", _URLSAFE, 36, 64),
    ("cloudflare_key", "api_key", "v1.0-", _DOTTED, 120, 200),
    ("ionic_token", "token", "ion_", _ALNUM, 40, 50),
    ("heartland_key", "api_key", "skapi_cert_ skapi_live_ skapi_prod_", _ALNUM, 20, 60),
    ("newrelic_key", "api_key", "NRAK- NRAA- NRJS- NRII- NRIQ- NRRA- NRSP- NRBR-", _URLSAFE, 19, 42),
    ("grafana_token", "token", "glsa_ glc_ eyJrIjoi", _BASE64, 32, 400),
    ("sentry_token", "token", "sntrys_ sntryu_", _BASE64, 60, 400),
    ("dynatrace_token", "token", "dt0c01. dt0s01. dt0s16.", _DOTTED, 60, 100),
    ("launchdarkly_key", "api_key", "sdk-? api-?", regex(r"[0-9a-f\-]{0,40}"), 36, 36),
    ("linear_key", "api_key", "lin_api_ lin_oauth_", _ALNUM, 32, 64),
    ("notion_token", "token", "ntn_ secret_?", _ALNUM, 43, 50),
    ("airtable_token", "token", "pat?", regex(r"[A-Za-z0-9]{14}\.[0-9a-f]{64}|"), 79, 79),
    ("figma_token", "token", "figd_", _URLSAFE, 38, 60),
    ("postman_key", "api_key", "PMAK-", _URLSAFE, 50, 80),
    ("hubspot_token", "token", "pat-na1- pat-na2- pat-eu1-", _URLSAFE, 36, 36),
    ("contentful_token", "token", "CFPAT-", _URLSAFE, 43, 80),
    ("typeform_token", "token", "tfp_", _DOTTED, 40, 64),
    ("readme_key", "api_key", "rdme_", _ALNUM, 70, 70),
    ("adobe_secret", "api_key", "p8e- p8-", _ALNUM, 32, 32),
    ("onepassword_token", "token", "ops_eyJ", _BASE64, 100, 4096),
    ("mapbox_token", "token", "sk.eyJ", _DOTTED, 60, 300),
    ("jfrog_token", "token", "eyJ2ZXIiOi", _DOTTED, 60, 4096),
    ("age_key", "private_key", "AGE-SECRET-KEY-1", _UPPER, 58, 58),
    ("dashclaw_key", "api_key", "oc_live_", _HEX, 32, 32),
)


def _tokens() -> Dict[str, List[Token]]:
    found: Dict[str, List[Token]] = {}
    for name, category, prefixes, body, least, most in _ROWS:
        for prefix in prefixes.split():
            kind, text = Kind(name, category, "critical"), prefix.rstrip("?")
            found.setdefault(text[:2], []).append(Token(kind, text, body, least, most, text != prefix))
    for tokens in found.values():
        tokens.sort(key=lambda token: -len(token.prefix))
    return found


# By the first two characters, the longest prefix first.
TOKENS = _tokens()

JWT = Kind("jwt_token", "token", "high")
JWT_SHAPE = regex(r"eyJ[A-Za-z0-9_\-]{8,4096}\.eyJ[A-Za-z0-9_\-]{4,8192}\.[A-Za-z0-9_\-]{0,2048}")
DISCORD = Kind("discord_token", "token", "critical")
DISCORD_SHAPE = regex(r"[MNO][A-Za-z0-9_\-]{23,27}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,40}")
SHORT_KEY = Kind("openai_key", "api_key", "critical")
PRIVATE_KEY = Kind("private_key", "private_key", "critical")
BEARER = Kind("bearer_token", "token", "high")
BASIC = Kind("basic_credentials", "password", "high")
URL = Kind("database_url", "connection_string", "critical")
LINK = Kind("url_credentials", "connection_string", "critical")
WEBHOOK = Kind("webhook_url", "token", "critical")
AWS_SECRET = Kind("aws_secret_key", "cloud_credential", "critical")
NAMED = Kind("api_key_generic", "api_key", "critical")
PASSWORD = Kind("password_field", "password", "high")
TERRAFORM = Kind("terraform_token", "token", "critical")
TELEGRAM = Kind("telegram_token", "token", "critical")
MAILCHIMP = Kind("mailchimp_key", "api_key", "critical")
SIGNATURE = Kind("azure_sas", "cloud_credential", "critical")

KINDS: Tuple[Kind, ...] = tuple(
    sorted(
        {token.kind for tokens in TOKENS.values() for token in tokens}
        | {JWT, DISCORD, PRIVATE_KEY, BEARER, BASIC, URL, LINK, WEBHOOK, AWS_SECRET, NAMED, PASSWORD, TELEGRAM}
        | {MAILCHIMP, SIGNATURE, TERRAFORM}
    )
)
