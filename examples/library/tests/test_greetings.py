from greetings import greeting


def test_greeting():
    assert greeting("you") == "hello, you"
