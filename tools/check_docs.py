#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every public name of include/ctlm has a comment that Doxygen and editors show.

Looked at are the rooms of ROOMS. What counts as public there:

- what is declared in namespace ctlm, or in a namespace inside it whose name does not end in _detail (and is not listed
  in INTERNAL): classes, enums and their enumerators, aliases, concepts, functions, variables;
- the public members of these classes and of public classes within them: functions, fields, types.

Documented is a name with `///` lines right above its declaration or `///<` on one of its lines. (`///` right below a line
with `///<` would be read as more of that comment: leave a blank line between.) No comment is asked for:

- forward declarations, friends, using-declarations, static_asserts, out-of-class definitions;
- specialisations: the comment of the primary template speaks for them, and so does the first comment of a set of
  overloads for all others of the same scope; constructors are such a set, and deduction guides belong to it;
- constructors without parameters, copying and moving ones, destructors, assignment, conversions and comparisons, which do
  what they always do;
- begin(), end() and size() of something that is read in a loop;
- members that have a MEANING, in TRAITS: the result of a class that exists to compute it, and the members that a
  documented concept or a documented table of the library asks for (the concept says what they do).
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "include" / "ctlm"
ROOMS = ["spec", "policy", "model", "quantise", "train", "io", "text", "app"]
INTERNAL = {"arguments", "rule"}  # words of compile-time errors; words in which the table of tensors is written
TOKEN = re.compile(r"""//[^\n]*|/\*.*?\*/|^[ \t]*\#(?:[^\n]*\\\n)*[^\n]*|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"
                       |'(?:\\.|[^'\\\n])+'|[A-Za-z_]\w*|\d(?:'?[\w.])*|::|->|&&|\|\||<=>|[<>=!]=|\+\+|--|<<|\S""",
                   re.S | re.M | re.X)
PAIRS = {"(": ")", "[": "]", "{": "}"}
MODIFIERS = {"inline", "static", "constexpr", "consteval", "constinit", "explicit", "virtual", "extern", "mutable",
             "CTLM_NOINLINE", "thread_local"}
# Members with one meaning everywhere, and those that a documented concept asks for.
TRAITS = {"type", "value", "ok", "kind", "readable", "begin", "end", "size"}
CONCEPTS = {
    "policy/activation": {"name", "gated", "value", "derivative"},
    "policy/norm": {"name", "statistics", "forward", "repeat", "backward_input", "backward_weight"},
    "policy/clip": {"options", "problem_of", "apply"},
    "policy/optimizer": {"name", "moments", "moment_kinds", "options", "problem_of", "apply", "place_state", "place_scratch"},
    "policy/schedule": {"options", "problem_of", "rate"},
    "policy/loss": {"name", "options", "problem_of", "apply"},
    "policy/head": {"name", "outputs", "forward", "backward"},
}


class Token:
    def __init__(self, text, line):
        self.text, self.line = text, line


def read(path):
    """The code's tokens, and the lines that hold a comment for readers of the reference."""
    text = path.read_text()
    tokens, above, beside, line, at = [], set(), set(), 1, 0
    for m in TOKEN.finditer(text):
        line += text.count("\n", at, m.start())
        at = m.start()
        word = m[0]
        if word.startswith("///<"):
            beside.add(line)
        elif word.startswith("///"):
            above.add(line)
        elif not word.startswith(("//", "/*")) and not word.lstrip().startswith("#"):
            tokens.append(Token(word, line))
    return tokens, above, beside


class File:
    def __init__(self, path):
        self.path = path
        self.tokens, self.above, self.beside = read(path)
        self.at = 0
        self.first = 0  # where the declaration that is looked at begins
        self.missing = []
        self.count = 0

    # -- moving over tokens

    def text(self, i=None):
        i = self.at if i is None else i
        if i > len(self.tokens) + 8:
            sys.exit(f"{self.path}:{self.tokens[self.first].line}: this declaration is not understood")
        return self.tokens[i].text if i < len(self.tokens) else ""

    def skip_pair(self, i):
        """The place after the bracket that closes the one at i."""
        depth = 0
        while i < len(self.tokens):
            if self.text(i) in PAIRS:
                depth += 1
            elif self.text(i) in PAIRS.values():
                depth -= 1
                if depth == 0:
                    return i + 1
            i += 1
        sys.exit(f"{self.path}: a bracket is not closed")

    def skip_angles(self, i):
        """The place after the > that closes the < at i."""
        depth = 0
        while i < len(self.tokens):
            t = self.text(i)
            if t in PAIRS:
                i = self.skip_pair(i)
                continue
            depth += (t == "<") - (t == ">")
            i += 1
            if depth == 0:
                return i
        sys.exit(f"{self.path}: a template's < is not closed")

    # -- what is found

    def is_documented(self, first, last):
        begin, end = self.tokens[first].line, self.tokens[last].line
        top = begin
        while top - 1 in self.above:
            top -= 1
        return (top < begin and top - 1 not in self.beside) or any(n in self.beside for n in range(begin, end + 1))

    def found(self, scope, name, first, last):
        """A public name, declared by the tokens [first, last]."""
        if not scope.public or name in scope.exempt:
            return
        self.count += 1
        documented = self.is_documented(first, last)
        before = scope.names.get(name)
        scope.names[name] = bool(before) or documented
        if not documented and not before:
            scope.pending.setdefault(name, self.tokens[first].line)
        if documented:
            scope.pending.pop(name, None)

    def close(self, scope):
        for name, line in scope.pending.items():
            self.missing.append((line, f"{scope.prefix}{name}"))

    # -- the grammar, as far as it is needed

    def scope(self, scope):
        while self.at < len(self.tokens) and self.text() != "}":
            self.declaration(scope)
        self.at += 1
        self.close(scope)

    def declaration(self, scope):
        first = self.first = self.at
        t = self.text()
        if t in ("public", "private", "protected") and self.text(self.at + 1) == ":":
            scope.public = t == "public" and scope.visible
            self.at += 2
            return
        if t == ";":
            self.at += 1
            return
        if t == "CTLM_SYSTEM_CALL":
            self.at = self.skip_pair(self.at + 1)
            return
        if t == "namespace" or (t == "inline" and self.text(self.at + 1) == "namespace"):
            self.namespace(scope)
            return
        is_template = specialisation = False
        while self.text() in ("template", "requires"):
            if self.text() == "template":
                is_template = True
                specialisation = self.text(self.at + 2) == ">"
                self.at = self.skip_angles(self.at + 1)
            else:
                self.skip_requires()
        while self.text() == "[" and self.text(self.at + 1) == "[":
            self.at = self.skip_pair(self.at)
        if self.text() in ("struct", "class", "union", "enum"):
            if self.class_like(scope, first):
                return
        self.simple(scope, first, specialisation)

    def namespace(self, scope):
        while self.text() != "{":
            self.at += 1
        name = self.text(self.at - 1)
        self.at += 1
        internal = name.endswith("_detail") or name in INTERNAL
        prefix = scope.prefix if name in ("ctlm", "CTLM_ABI") else scope.prefix + name + "::"
        names = scope.names if name in ("ctlm", "CTLM_ABI") else {}
        self.scope(Scope(prefix, scope.visible and not internal, scope.exempt, names=names))

    def skip_requires(self):
        """Over `requires` and its condition: terms joined by && and ||."""
        self.at += 1
        while True:
            while self.text() == "!":
                self.at += 1
            if self.text() == "(":
                self.at = self.skip_pair(self.at)
            elif self.text() == "requires":
                self.at += 1
                if self.text() == "(":
                    self.at = self.skip_pair(self.at)
                self.at = self.skip_pair(self.at)
            else:
                self.skip_name()
            if self.text() not in ("&&", "||"):
                return
            self.at += 1

    def skip_name(self):
        while True:
            self.at += 1
            if self.text() == "<":
                self.at = self.skip_angles(self.at)
            if self.text() != "::":
                return
            self.at += 1

    def class_like(self, scope, first):
        """A class or an enum with or without its body; False if it is a declaration that begins like one."""
        keyword, i = self.text(), self.at + 1
        if keyword == "enum" and self.text(i) in ("class", "struct"):
            i += 1
        while self.text(i) in ("alignas", "[") or self.text(i).startswith("__attribute"):
            i = self.skip_pair(i + (self.text(i) != "["))
        name_at = i
        name = self.text(i)
        i += 1
        specialisation = self.text(i) == "<"
        while self.text(i) not in ("{", ";", "(", "=") and i < len(self.tokens):
            if self.text(i) == "<":
                i = self.skip_angles(i)
            elif self.text(i) not in (":", "final", ",", "::", "public", "private", "virtual") and i > name_at + 1 and \
                    not specialisation and ":" not in [self.text(j) for j in range(name_at, i)]:
                return False  # struct stat s {};
            else:
                i += 1
        if self.text(i) == ";":
            self.at = i + 1
            return True
        if self.text(i) != "{":
            return False
        if not specialisation:
            self.found(scope, name, first, i)
        self.at = i + 1
        inner = Scope(f"{scope.prefix}{name}::", scope.public and not specialisation, scope.exempt, name,
                      keyword == "class")
        if keyword == "enum":
            self.enumerators(inner)
        else:
            self.scope(inner)
        while self.text() != ";":
            self.at += 1
        self.at += 1
        return True

    def enumerators(self, scope):
        while self.text() != "}":
            first = self.at
            while self.text() not in (",", "}"):
                self.at = self.skip_pair(self.at) if self.text() in PAIRS else self.at + 1
            last = self.at if self.text() == "," else self.at - 1
            self.found(scope, self.text(first), first, last)
            self.at += self.text() == ","
        self.at += 1
        self.close(scope)

    def simple(self, scope, first, specialisation):
        """An alias, a concept, a variable or a function."""
        t = self.text()
        if t in ("using", "concept"):
            name, is_alias = self.text(self.at + 1), self.text(self.at + 2) in ("=", "[")
            last = self.to_semicolon()
            if is_alias:
                self.found(scope, name, first, last)
            return
        if t in ("friend", "static_assert", "typedef", "extern"):
            self.to_semicolon()
            return
        name, is_function, last = self.declarator(scope)
        if specialisation or name is None:
            return
        self.found(scope, "(constructor)" if name == scope.class_name and is_function else name, first, last)

    def to_semicolon(self):
        """Past the ; that ends this declaration, or the body that a friend may have; the last token's place."""
        while self.text() != ";":
            if self.text() == "{":
                self.at = self.skip_pair(self.at)
                if self.text() != ";" and self.text(self.at) not in (".", ",", ")", "&&", "||", "[", "("):
                    return self.at - 1
            else:
                self.at = self.skip_pair(self.at) if self.text() in PAIRS else self.at + 1
        self.at += 1
        return self.at - 1

    def declarator(self, scope):
        """(name or None, whether it is a function, the last token of what is declared)."""
        name = None
        while True:
            t = self.text()
            if t in ("decltype", "alignas", "noexcept", "explicit") and self.text(self.at + 1) == "(":
                self.at = self.skip_pair(self.at + 1)
            elif t == "requires":
                self.skip_requires()
            elif t == "operator":
                return self.operator(scope)
            elif t == "~":
                self.at += 2
                return self.function_rest(None)
            elif t == "<":
                if name is not None and self.text(self.at - 1) == name:
                    name = name + "<>"
                self.at = self.skip_angles(self.at)
            elif t == "(":
                if self.text(self.at + 1) == "*":  # a pointer to a function
                    return self.variable(self.text(self.at + 2))
                return self.function(scope, name)
            elif t in ("=", "{", ";", ",", "["):
                if t == "[" and self.text(self.at + 1) == "[":
                    self.at = self.skip_pair(self.at)
                    continue
                return self.variable(name)
            else:
                if re.match(r"[A-Za-z_]", t) and t not in MODIFIERS:
                    name = t
                self.at += 1

    def variable(self, name):
        while self.text() != ";":
            self.at = self.skip_pair(self.at) if self.text() in PAIRS else self.at + 1
        self.at += 1
        if name is not None and name.endswith("<>"):
            name = None  # a specialisation of a variable template
        return name, False, self.at - 1

    def function(self, scope, name):
        """At the parameters. Constructors that need no comment have no name."""
        begin, end = self.at + 1, self.skip_pair(self.at) - 1
        parameters = [self.text(i) for i in range(begin, end)]
        out_of_class = self.text(self.at - 2) == "::" and self.text(self.at - 3) != scope.class_name
        self.at = end + 1
        if name is not None and name == scope.class_name:
            words = [p for p in parameters if p not in ("const", "&", "&&")]
            if not words or (words[0] == name and len(words) <= 2):
                name = None
        return self.function_rest(None if out_of_class else name)

    def operator(self, scope):
        symbol = self.text(self.at + 1)
        while self.text() != "(":
            self.at += 1
        if symbol == "(":
            self.at = self.skip_pair(self.at)
        self.at = self.skip_pair(self.at)
        return self.function_rest("operator()" if symbol == "(" else "operator[]" if symbol == "[" else None)

    def function_rest(self, name):
        """What follows the parameters, up to and with the body."""
        last = self.at - 1
        while self.text() not in ("{", ";", ":", "="):
            if self.text() == "requires":
                self.skip_requires()
            elif self.text() == "->":
                self.at += 1
            else:
                self.at = self.skip_pair(self.at) if self.text() in PAIRS and self.text() != "{" else self.at + 1
        if self.text() == "=":
            while self.text() != ";":
                if self.text() in ("default", "delete"):
                    name = None
                self.at += 1
        if self.text() == ":":
            self.at += 1
            while True:  # the members that a constructor initialises
                self.skip_name()
                self.at = self.skip_pair(self.at)
                if self.text() != ",":
                    break
                self.at += 1
        if self.text() == "{":
            last = self.at
            self.at = self.skip_pair(self.at)
        else:
            last = self.at
            self.at += 1
        return name, True, last


class Scope:
    def __init__(self, prefix, visible, exempt, class_name=None, is_class=False, names=None):
        self.prefix, self.visible, self.exempt = prefix, visible, exempt
        self.public = visible and not is_class
        self.class_name = class_name
        self.names = {} if names is None else names
        self.pending = {}


def main():
    total, missing = 0, 0
    for room in ROOMS:
        names = {}  # overloads may be in several files of a room
        for path in sorted((INCLUDE / room).rglob("*.hpp")):
            place = path.parent.relative_to(INCLUDE).as_posix()
            f = File(path)
            f.scope(Scope("", True, TRAITS | CONCEPTS.get(place, set()), names=names))
            total += f.count
            missing += len(f.missing)
            for line, name in sorted(f.missing):
                print(f"{path.relative_to(ROOT)}:{line}: {name} has no /// comment")
    if missing:
        print(f"{missing} of {total} public names have no comment: say what it is, its shape, unit and errors")
    else:
        print(f"{total} public names, each with a comment")
    sys.exit(1 if missing else 0)


main()
