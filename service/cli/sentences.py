"""Something to say for those who have no text at hand: what `parley bench` sends by default."""

__all__ = ["SENTENCES"]

# Everyday German, as the shipped model translates it: 1 to 20 words, in no order of length.
SENTENCES = (
    "Wo ist der Bahnhof?",
    "Guten Morgen!",
    "Ich habe gestern Abend ein sehr gutes Buch gelesen.",
    "Kannst du mir bitte helfen?",
    "Meine Schwester wohnt seit drei Jahren in einer kleinen Stadt am Meer.",
    "Es regnet.",
    "Wenn das Wetter morgen schön ist, gehen wir mit den Kindern in den Zoo und essen ein Eis.",
    "Er kam zu spät, weil sein Zug eine Stunde Verspätung hatte.",
    "Das glaube ich nicht.",
    "Wie viel kostet eine Fahrkarte nach Hamburg?",
    "Sie hat vergessen, die Tür abzuschließen, bevor sie zur Arbeit ging.",
    "Ich hätte gern einen Kaffee mit Milch.",
    "Der Hund schläft unter dem Tisch.",
    "Obwohl er müde war, schrieb er bis spät in die Nacht an dem Brief, den er am Morgen brauchte.",
    "Was machst du am Wochenende?",
    "Niemand weiß, was in hundert Jahren sein wird.",
    "Bitte sprechen Sie etwas langsamer, ich lerne erst seit kurzer Zeit Deutsch.",
    "Danke.",
    "Die Kinder spielen im Garten.",
    "Mein Vater sagt immer, dass man aus Fehlern mehr lernt als aus Erfolgen.",
    "Ich freue mich schon darauf, dich wiederzusehen.",
    "Hast du die Schlüssel gefunden, die du gestern verloren hast?",
    "Es war einmal ein König, der drei Söhne hatte.",
    "Nach dem Essen wuschen wir das Geschirr ab.",
)
