# SPDX-License-Identifier: MIT
"""Texts on which clones of tokenizers differ: what make_tokenizers.py and compare_tokenizers.py encode."""
import random
import unicodedata

SCRIPTS = {
    "english": "the quick brown fox jumps over the lazy dog while don't we'll they've I'm you're he'd it's THE Fox's",
    "french": "caf\u00e9 na\u00efve \u00fcber stra\u00dfe \u0152uvre \u00c9T\u00c9 fa\u00e7ade \u0130stanbul",
    "chinese": "\u5b50\u66f0\uff1a\u5b78\u800c\u6642\u7fd2\u4e4b\u3002 \u5e8a\u524d\u660e\u6708\u5149\uff0c \u4f60\u597d \u4e16\u754c \U00020000\U0002a6d6",
    "japanese": "\u3053\u3093\u306b\u3061\u306f \u30ab\u30bf\u30ab\u30ca \u65e5\u672c\u8a9e \u304b\u3099 \u30cf\u309a \uff76\uff9e",
    "korean": "\uc548\ub155 \ud558\uc138\uc694 \ud55c\uad6d\uc5b4 \u1112\u1161\u11ab \u1100\u1161",
    "arabic": "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 \u0663\u0664\u0665 \u064b\u0650 \ufdfa",
    "devanagari": "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e \u0967\u0968\u0969 \u0915\u094d\u0937",
    "hebrew": "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd \u05d1\u05bc",
    "thai": "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01 \u0e51\u0e52",
    "greek": "\u03a3\u0391\u03a3 \u03c3\u03b1\u03c2 \u1f08\u03b8\u1fc6\u03bd\u03b1\u03b9 \u03b9\u0308\u0301",
    "russian": "\u041f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440 \u0451\u0436 \u0435\u0308 \u0418\u0306",
    "emoji": "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd \U0001f1e9\U0001f1ea \u2764\ufe0f \U0001f3f4\U000e0067\U000e007f",
    "marks": "e\u0301 a\u0308\u0323 o\u0323\u0308 n\u0303 \u0344 \u0958 q\u0307\u0323 \u1e9b\u0323 \u212b \u2126 \ufb01 \u00bd \u2460 \u2167",
    "code": "for (int i = 0; i < n; ++i) {\n\treturn x[i] != 0x1F ? \"a\\n\" : 'b'; } // TODO\n#include <vector>\r\n    def f(self, *args):\n\n\n",
    "signs": "!!! ?? ... -- __init__ ##x @user $5.00 50% ^^ && || <a href='x'> {{}} [] ~ ` \u2014\u201cq\u201d \u00ab\u00bb \u3001 \u00b7 \u20ac",
    "numbers": "1 12 123 1234 12345 1,234.56 \u00b2\u00b3 \u2155 \u0967\u0968 \uff11\uff12 \u216b 3rd 0xFF 1e-9",
    "spaces": " \t\n\r\n\u00a0\u2003\u3000\u200b\u200d\u2028\u0085\u000b\u000c\u1680\u180e\ufeff",
    "rare": "'\u017f 'S 'T 'LL 'Re \u017f \u0149 \u01c5 \ua7cb \U0001e943 \ufffd \x00\x01\x1f\x7f \u0378 \ue000 \U000f0000 \U0010ffff \u24b6 \U0001f130",
}
BLOCKS = [c for c in range(0, 0x110000, 16) if not 0xD800 <= c < 0xE000]


def piece(r):
    kind = r.randrange(11)
    script = r.choice(list(SCRIPTS.values()))
    if kind < 4:
        return r.choice(script.split(" ")) + r.choice(["", " ", " ", "  ", "\n"])
    if kind == 4:
        a = r.randrange(len(script))
        return script[a:a + r.randrange(12)]
    if kind == 5:
        return "".join(r.choice(script) for _ in range(r.randrange(8)))
    if kind == 6:
        return r.choice(" \n\t\r19aA.'\u00e9\u4e00") * r.choice([1, 2, 3, 4, 5, 9, 20])
    if kind == 7:
        block = r.choice(BLOCKS)
        return "".join(chr(block + r.randrange(16)) for _ in range(r.randrange(1, 5)))
    if kind == 8:
        c = chr(r.choice(BLOCKS) + r.randrange(16))
        return r.choice(["a", " ", "1", "'", "\n"]) + c + r.choice(["b", " ", "2", "\u0301", "s"])
    if kind == 9:
        return "".join(chr(r.choice([r.randrange(32, 127), r.randrange(0x250), r.randrange(0x3000)])) for _ in range(4))
    return r.choice(SCRIPTS["spaces"]) * r.randrange(1, 4)


def line(r, added=()):
    parts = []
    for _ in range(r.choice([1, 1, 2, 3, 5, 8])):
        parts.append(piece(r))
        if added and r.random() < 0.2:
            parts.append(r.choice(["", " ", "x"]) + r.choice(added) + r.choice(["", " ", "x", "\n"]))
    return "".join(parts)


def lines(n, seed, added=()):
    """n texts: each script's, every block of Unicode, then mixtures of all."""
    r = random.Random(seed)
    whole = ["", *SCRIPTS.values()]
    blocks = ["".join(chr(c) for c in range(b, b + 16)) for b in BLOCKS]
    blocks = [b for b in blocks if any(unicodedata.category(c) != "Cn" for c in b)] + blocks[::97]
    whole = (whole + blocks if n > 20 * len(blocks) else whole + blocks[::211])[:n]
    return whole + [line(r, added) for _ in range(n - len(whole))]
