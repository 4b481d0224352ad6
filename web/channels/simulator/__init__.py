"""Pretend platforms and a pretend phone: what a patient's phone would show, without an account anywhere.

platform   a server on the loopback that takes what we send, as strictly as the platforms do
sender     the platforms' webhooks, in their shapes and with their signatures
screen     the phone, drawn in a terminal
measure    what answers by SMS cost
run        the application in this process, with the pretend platform as its platform
"""
