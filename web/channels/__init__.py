"""The messaging channels: SMS, WhatsApp, Telegram, Messenger, Slack. Each is on only when its settings are there.

settings   what a channel needs, as environment variables
base       what every channel is: Inbound, Bubble, Channel, the keyed hash
text       GSM-7 and UCS-2, and cutting text without cutting a number, a link or a contact
render     Reply to bubbles of text
commands   STOP, START, HELP and the other whole-message words
state      the two tables: users by keyed hash, and message ids seen
lanes      one user's messages in order, different users side by side
delivery   sending with bounded retries
hub        a message in, bubbles out: screening, manners, the guide
views      the Flask blueprint
simulator  pretend platforms and a pretend phone, for trying out, for the transcripts and for the tests
"""
