using Xunit;

namespace MambaRT.Tests;

/// <summary>The language of chat templates, with the text that the Python library Jinja renders.</summary>
public sealed class TemplateLanguageTests
{
    private static readonly ChatMessage[] Messages = [new("system", "Be brief."), new("user", " Hi! "), new("assistant", "Hello."), new("user", "Bye")];

    [Theory]
    [InlineData(
        "{{ 1 + 2 * 3 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2.5 * 2 }} {{ -(1) - 1 }} {{ 1e3 }} {{ 7.5 % 2 }}",
        "7 3 -4 2 3.5 5.0 -2 1000.0 1.5")]
    [InlineData("{{ 'a' ~ 1 ~ none ~ true ~ 1.0 }} {{ 'ab' * 3 }} {{ 'a' 'b' }}", "a1NoneTrue1.0 ababab ab")]
    [InlineData("{{ [1, 'b', 2.0, none, true, {'k': [\"it's\"]}] }}", "[1, 'b', 2.0, None, True, {'k': [\"it's\"]}]")]
    [InlineData(
        "{{ 1 == 1.0 }} {{ 'a' < 'b' }} {{ 1 != 2 and 'x' }} {{ '' or 'y' }} {{ not 0 }} {{ [1, [2]] == [1, [2]] }} {{ {'a': 1} == {'a': 1} }}",
        "True True x y True True True")]
    [InlineData("{{ 'b' in 'abc' }} {{ 2 not in [1, 3] }} {{ 'k' in {'k': 1} }} {{ not 'z' in 'abc' }} {{ 'a' in missing }}", "True True True True False")]
    [InlineData("{{ 'yes' if 1 > 0 else 'no' }}{{ 'gone' if false }}{{ 'a' if false else 'b' if false else 'c' }}", "yesc")]
    [InlineData(
        "{{ messages[0].role }} {{ messages[-1]['content'] }} {{ messages[9] }}{{ messages[0].nothing }}{{ messages[1:] | length }} {{ 'hello'[1:3] }} {{ 'hello'[::-1] }} {{ 'hello'[-3:] }} {{ [1,2,3,4][::2] }} {{ 'abc'[5:] }}{{ 'abc'[:-1] }} {{ 'abc'[1] }} {{ [1,2,3][:0] }} {{ [1,2,3][2:0:-1] }}",
        "system Bye 3 el olleh llo [1, 3] ab b [] [3, 2]")]
    [InlineData(
        "{{ '  x ' | trim }}|{{ 'x' | length }}|{{ [1,2] | count }}|{{ 'aB' | upper }}|{{ 'aB' | lower }}|{{ 'hELLO' | capitalize }}|{{ missing | default('d') }}|{{ '' | default('d', true) }}|{{ none | d('q') }}",
        "x|1|2|AB|ab|Hello|d|d|None")]
    [InlineData(
        "{{ [1,2,3] | first }} {{ [1,2,3] | last }} {{ ['a','b'] | join(', ') }} {{ 'abc' | join('-') }} {{ 'aXbX' | replace('X', 'yy') }} {{ 5 | string + 'x' }} {{ 'abc' | list }} {{ '12' | int + 1 }} {{ [1,2] | reverse | list }} {{ 'abc' | reverse }}",
        "1 3 a, b a-b-c ayybyy 5x ['a', 'b', 'c'] 13 [2, 1] cba")]
    [InlineData(
        "{{ {'a': [1, 2.5, none, true], 'b': 'q\"\\n\\\\é'} | tojson }} {{ [] | tojson }} {{ {} | tojson(indent=2) }}",
        "{\"a\": [1, 2.5, null, true], \"b\": \"q\\\"\\n\\\\é\"} [] {}")]
    [InlineData("{{ {'a': [1, {'b': 2}], 'c': []} | tojson(indent=2) }}", "{\n  \"a\": [\n    1,\n    {\n      \"b\": 2\n    }\n  ],\n  \"c\": []\n}")]
    [InlineData(
        "{{ ' xx '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ ' a'.lstrip() }}|{{ 'a '.rstrip() }}|{{ 'abc'.startswith('ab') }}|{{ 'abc'.endswith('d') }}|{{ 'a,b,c'.split(',') }}|{{ ' a  b '.split() }}|{{ 'a,b,c'.split(',', 1) }}|{{ 'ab'.upper() }}|{{ 'AB'.lower() }}|{{ 'a-b'.replace('-', '+') }}|{{ 'x</think>y'.split('</think>')[-1] }}",
        "xx|a|a|a|True|False|['a', 'b', 'c']|['a', 'b']|['a', 'b,c']|AB|ab|a+b|y")]
    [InlineData(
        "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}{% for k in {'a': 1} %}{{ k }}{% endfor %}{{ {'a': 1}.get('a') }}{{ {'a': 1}.get('z', 'zz') }}{{ {'a': 1} | items | list }}{{ {'x': 1}.keys() | list }}{{ {'x': 1}.values() | list }}",
        "a=1;b=2;a1zz[('a', 1)]['x'][1]")]
    [InlineData(
        "{{ x is defined }} {{ messages is defined }} {{ x is not defined }} {{ x is undefined }} {{ none is none }} {{ 'a' is string }} {{ {} is mapping }} {{ [] is iterable }} {{ 3 is odd }} {{ 3 is even }} {{ 3 is equalto 3 }} {{ 3 is equalto(4) }} {{ 6 is divisibleby(3) }} {{ true is boolean }} {{ 1 is number }} {{ 1.5 is float }} {{ 1 is integer }} {{ 1 is in [1] }} {{ 'a' is not none and 1 is not string }} {{ true is true }} {{ not x is defined }}",
        "False True True True True True True True True False True False True True True True True True True True True")]
    [InlineData(
        "{% for x in [1,2,3,4] if x is even %}{{ loop.index }}/{{ loop.length }}:{{ x }} {% else %}none{% endfor %}{% for x in [] %}a{% else %}empty{% endfor %}{% for x in missing %}a{% else %}undefined{% endfor %}",
        "1/2:2 2/2:4 emptyundefined")]
    [InlineData(
        "{% for x in 'abc' %}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.revindex }}{{ loop.revindex0 }} {% endfor %}",
        "0TrueFalseb32 1FalseFalseac21 2FalseTrueb10 ")]
    [InlineData(
        "{% for x in range(5) %}{% if x == 1 %}{% continue %}{% endif %}{% if x == 3 %}{% break %}{% endif %}{{ x }}{% endfor %}{{ range(2, 8, 3) | list }}{{ range(3, 0, -1) | list }}",
        "02[2, 5][3, 2, 1]")]
    [InlineData(
        "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}{% set ns = namespace(n=0, s='') %}{% for i in [1, 2] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}{{ ns.s }}{{ ns.t is defined }}",
        "2313False")]
    [InlineData(
        "{% set t %}a{{ 1 }}b{% endset %}[{{ t }}]{% if t == 'a1b' %}ok{% elif true %}no{% else %}no{% endif %}{% if false %}1{% elif true %}2{% elif true %}3{% endif %}",
        "[a1b]ok2")]
    [InlineData("{% for a in [1, 2] %}{% for b in 'xy' %}{{ a }}{{ b }}{{ loop.index }},{% endfor %}{{ loop.index }};{% endfor %}", "1x1,1y2,1;2x1,2y2,2;")]
    [InlineData("a\n  {% if true %}\n  b\n  {% endif %}\nc\n", "a\n  b\nc")]
    [InlineData("a\n  {%- if true -%}\n  b\n  {%- endif %}\nc {{- ' d ' -}} \n e", "abc d e")]
    [InlineData("a {# note #}\n  {# second #}\nb {#- x -#} c\n\n", "a bc\n")]
    [InlineData("  {%+ if true %}x{% endif +%}\ny  {% if true %}z{% endif %}  {{ 'w' }}\n  {{ 'v' }}\n", "  x\ny  z  w\n  v")]
    [InlineData("{% if true %}\n\n  {% if true %}\n  x {% endif %}\n{% endif %}\n\n\n", "\n  x \n")]
    [InlineData("{{ '\\t\\x41\\u00e9\\'\\\"\\q' }}{{ \"a'b\" }}{{ 'héllo wörld 🙂' | length }}{{ '🙂ab'[0] }}{{ '🙂ab'[1:] }}", "\tAé'\"\\qa'b13🙂ab")]
    [InlineData(
        "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}{{ messages | rejectattr('role', 'equalto', 'user') | list | length }}{{ messages | map(attribute='role') | join(',') }}{{ messages | selectattr('nope') | list }}",
        "22system,user,assistant,user[]")]
    [InlineData(
        "{% if messages[0]['role'] == 'system' and not (tools is defined and tools) %}{{ messages[0]['content'] }}{% endif %}{% if strftime_now is defined %}{{ strftime_now('%d') | length }}{% else %}26 Jul 2024{% endif %}",
        "Be brief.2")]
    [InlineData(
        "{{ messages[0] }}{{ messages[0] | tojson }}{{ (1, 2) }}",
        "{'role': 'system', 'content': 'Be brief.'}{\"role\": \"system\", \"content\": \"Be brief.\"}(1, 2)")]
    [InlineData(
        "{% for message in messages[::-1] %}{% set index = (messages | length - 1) - loop.index0 %}{{ index }}{{ message.content.strip() }}{% endfor %}",
        "3Bye2Hello.1Hi!0Be brief.")]
    [InlineData("{{ '}}' }}{{ {'a': {'b': '%}'}}['a']['b'] }}{{ {'a':{'b':1}}.a.b }}", "}}%}1")]
    [InlineData("line\r\n{% if true %}\r\nx\r\n{% endif %}\r\n", "line\nx\n")]
    [InlineData(
        "{% macro f(a, b='x') %}[{{ a }}{{ b }}]{% endmacro %}{{ f(1) }}{{ f(1, b=2) }}{{ f(b=3, a=4) | length }}{% set z = f('q') %}{{ z }}",
        "[1x][12]4[qx]")]
    [InlineData(
        "{% macro box(t) %}<{{ t }}:{{ caller() }}>{% endmacro %}{% call box('a') %}in{{ 1 + 1 }}{% endcall %}{% macro each(l) %}{% for x in l %}{{ caller(x) }}{% endfor %}{% endmacro %}{% call(x) each([1, 2]) %}({{ x }}){% endcall %}",
        "<a:in2>(1)(2)")]
    [InlineData("{% set g = 'top' %}{% macro m() %}{{ g }}{{ here is defined }}{% endmacro %}{% for x in [1] %}{% set here = 1 %}{{ m() }}{% endfor %}", "topFalse")]
    [InlineData("{% macro r(n) %}{{ n }}{% if n > 0 %}{{ r(n - 1) }}{% endif %}{% endmacro %}{{ r(3) }}", "3210")]
    [InlineData("{% macro v() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ v(1, 2, k=3) }}", "(1, 2){'k': 3}")]
    [InlineData("a{% raw %} {{ x }} {% if %}{# #} {% endraw %}b {%- raw -%} c {%- endraw -%} d", "a {{ x }} {% if %}{# #} bcd")]
    [InlineData("{% filter upper %}a{{ 'b' }}{% endfilter %}{% filter replace('a', 'b') | title %}xa ya{% endfilter %}{% set t | upper %}q{% endset %}{{ t }}", "ABXb YbQ")]
    [InlineData("{% set l = [1] %}{% do l.append(2) %}{{ l }}{{ l.pop() }}{{ l | length }}{% do l.extend([7, 8]) %}{{ l.index(8) }}{{ l.count(7) }}{% do l.insert(0, 9) %}{{ l }}", "[1, 2]2121[9, 1, 7, 8]")]
    [InlineData("{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, d) = [3, 4] %}{{ c + d }}{% with x = 5, y = 6 %}{{ x * y }}{% endwith %}{{ x is defined }}", "12730False")]
    [InlineData("{{ 1 < 2 < 3 }}{{ 1 < 2 > 5 }}{{ 1 == 1 != 2 in [2] }}{{ 2 ** 10 }}{{ 2 ** 3 ** 2 }}{{ -2 ** 2 }}{{ [1] * 2 }}{{ 3 * 'a' }}", "TrueFalseTrue1024644[1, 1]aaa")]
    [InlineData(
        "{{ 'hello wORLD-x' | title }}|{{ \"it's a\".title() }}|{{ {'b': 1, 'A': 2} | dictsort }}|{{ '%s-%03d-%.2f%%' | format('a', 7, 1.5) }}|{{ 'x=%s' % 3 }}|{{ '%s %s' % (1, 2) }}|{{ ['a', 'B', 'A', 'b'] | unique | list }}|{{ [3, 1, 2] | sort }}|{{ ['b', 'A'] | sort(reverse=true) }}",
        "Hello World-X|It'S A|[('A', 2), ('b', 1)]|a-007-1.50%|x=3|1 2|['a', 'B']|[1, 2, 3]|['b', 'A']")]
    [InlineData(
        "{{ 'abcabc'.find('c') }} {{ 'abcabc'.rfind('c') }} {{ 'abc'.find('z') }} {{ 'abcabc'.count('bc') }} {{ 'a,b,c'.rsplit(',', 1) }} {{ ' a  b c '.split(none, 1) }} {{ 'a\nb\n'.splitlines() }} {{ 'a=b=c'.partition('=') }} {{ 'xay'.removeprefix('x').removesuffix('y') }} {{ '-'.join(['a', 'b']) }} {{ '{} {} {k} {{'.format(1, 2, k=3) }}{{ '{1}{0}'.format('a', 'b') }} {{ 'aXbX'.replace('X', '.', 1) }}",
        "2 5 -1 2 ['a,b', 'c'] ['a', 'b c '] ['a', 'b'] ('a', '=', 'b=c') a a-b 1 2 3 {ba a.bX")]
    [InlineData(
        "{{ 'ab'.isalpha() }}{{ '1'.isdigit() }}{{ 'A'.isupper() }}{{ 'Ab' is lower }}{{ 3 is gt 2 }}{{ 2 is ge(3) }}{{ 'abc'.startswith(('x', 'a')) }}{{ '1.7' | int }}{{ '1.5' | float }}{{ -3 | abs }}{{ 2.567 | round(2) }}{{ 7 | round }}",
        "TrueTrueTrueFalseTrueFalseTrue11.532.577")]
    [InlineData(
        "{{ ['a', 'b'] | map('upper') | join }}{{ [1, 2, 3, 4] | select('even') | list }}{{ [0, 1] | reject | list }}{{ [1, 2, 3] | sum }}{{ [3, 9, 4] | max }}{{ [1, 2, 3] | batch(2) | list }}{{ messages | map(attribute='nope', default='-') | first }}{{ 'a\nb' | indent(2) }}{{ '<a>' | e }}",
        "AB[2, 4][0]69[[1, 2], [3]]-a\n  b&lt;a&gt;")]
    [InlineData("{% for r, g in messages | groupby('role') %}{{ r }}{{ g | length }} {% endfor %}{{ {'a': 1}.pop('a') }}{% set d = {} %}{% do d.update({'x': 1}) %}{% do d.setdefault('y', 2) %}{{ d }}", "assistant1 system1 user2 1{'x': 1, 'y': 2}")]
    [InlineData("{% if false %}{{ 'a' | frobnicate }}{{ x is weird }}{{ nothing() }}{% include 'x' %}{% frob %}{% for y in x recursive %}{% endfor %}{% endfrob %}{% endif %}{{ tools is none }}", "True")]
    [InlineData("{{ [(1,), ()] }}{{ (1, 2) == [1, 2] }}{{ [[1, 2], [1]] | sort }}{{ 'a.b' if 'x'.split('.')[0] == 'x' }}{{ messages.0.role }}", "[(1,), ()]False[[1], [1, 2]]a.bsystem")]
    public void Render_Language_EqualsJinja(string template, string expected) =>
        Assert.Equal(expected, ChatTemplate.Parse(template).Render(Messages, true, "<s>", "</s>"));

    [Theory]
    [InlineData("{% if true %}x", "line 1", "'if' is not closed")]
    [InlineData("\n{% for a in b %}x{% endif %}", "line 2", "'endfor' is needed")]
    [InlineData("x{% endif %}", "line 1", "'endif' closes")]
    [InlineData("a\n\n{{ 'a' ", "line 3", "tag is not closed")]
    [InlineData("{{ 'a }}", "line 1", "string is not closed")]
    [InlineData("{# a", "line 1", "comment is not closed")]
    [InlineData("{{ 1 + }}", "line 1", "value is needed")]
    [InlineData("{{ ; }}", "line 1", "';'")]
    [InlineData("{{ 1 2 }}", "line 1", "'}}' is needed")]
    [InlineData("{{ 99999999999999999999 }}", "line 1", "64 bits")]
    [InlineData("{{ a[1 2] }}", "line 1", "']' is needed")]
    [InlineData("{{ a[] }}", "line 1", "index")]
    [InlineData("{% break %}", "line 1", "outside a loop")]
    [InlineData("{% if x %}{% else %}{% elif y %}{% endif %}", "line 1", "'endif' is needed")]
    [InlineData("{%", "line 1", "not closed")]
    [InlineData("{{", "line 1", "not closed")]
    public void Parse_Malformed_NamesLineAndFault(string template, string line, string fault)
    {
        var error = Assert.Throws<FormatException>(() => ChatTemplate.Parse(template));
        Assert.Contains(line, error.Message);
        Assert.Contains(fault, error.Message);
    }

    [Theory]
    [InlineData("{{ missing.deeper }}", "'missing', which is undefined")]
    [InlineData("{{ 'a' + 1 }}", "a string + an integer")]
    [InlineData("{{ 'a' + missing }}", "undefined")]
    [InlineData("{{ 1 / 0 }}", "division by zero")]
    [InlineData("{{ 1 % 0 }}", "division by zero")]
    [InlineData("{{ 9223372036854775807 + 1 }}", "64 bits")]
    [InlineData("{{ nothing() }}", "function 'nothing'")]
    [InlineData("{{ 'a' | frobnicate }}", "filter 'frobnicate'")]
    [InlineData("{{ ['a'] | map('frobnicate') }}", "filter 'frobnicate'")]
    [InlineData("{{ 'a' is weird }}", "test 'weird'")]
    [InlineData("{{ 'a' is weird(1) }}", "test 'weird'")]
    [InlineData("{% include 'x' %}", "'include' is not supported")]
    [InlineData("{% frob x %}{{ 1 }}{% endfrob %}", "'frob' is not supported")]
    [InlineData("{{ 'a'.frob(1) }}", "no method 'frob'")]
    [InlineData("{{ messages.frob(1) }}", "no method 'frob'")]
    [InlineData("{{ (1, 2).append(1) }}", "a tuple has no method 'append'")]
    [InlineData("{{ 3() }}", "an integer cannot be called")]
    [InlineData("{{ '%d' % 'x' }}", "needs a number")]
    [InlineData("{{ '{}'.format() }}", "no such value")]
    [InlineData("{% set a, b = [1] %}", "2 parts")]
    [InlineData("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", "256 levels")]
    [InlineData("{% set l = [] %}{% do l.append(l) %}{{ l }}", "256 levels")]
    [InlineData("{% set l = [1] %}{% for x in l %}{% do l.append(x) %}{% endfor %}", "steps")]
    [InlineData("{% for a in 3 %}{% endfor %}", "cannot loop over an integer")]
    [InlineData("{% for a, b in [[1]] %}{% endfor %}", "2 parts")]
    [InlineData("{% set x = 1 %}{% set x.y = 2 %}", "no namespace")]
    [InlineData("{{ 'a' < 1 }}", "cannot order")]
    [InlineData("{{ {1: 2} }}", "must be a string")]
    [InlineData("{{ 'abc'[::0] }}", "cannot be 0")]
    [InlineData("{{ range(1, 2, 0) }}", "cannot be 0")]
    [InlineData("{{ 5 | length }}", "no length")]
    [InlineData("{{ missing | tojson }}", "JSON")]
    [InlineData("{{ ''.split('') }}", "separator")]
    [InlineData("{{ raise_exception('no ' ~ 'way') }}", "no way")]
    [InlineData("{{ 'x' * 99999999999 }}", "more than 16777216 characters")]
    [InlineData("{{ range(0, 9223372036854775807) }}", "steps")]
    [InlineData("{{ range(-9223372036854775807, 9223372036854775807) | length }}", "steps")]
    [InlineData("{% for a in range(999) %}{% for b in range(999) %}{% for c in range(999) %}{% endfor %}{% endfor %}{% endfor %}", "steps")]
    [InlineData("{% set n = namespace(x='ab') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}", "more than")]
    [InlineData("{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}", "steps")]
    [InlineData("{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}", "steps")]
    [InlineData("{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x | tojson }}", "steps")]
    [InlineData("{% set n = namespace(x=[1]) %}{% for i in range(999) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}", "256 levels")]
    [InlineData("{% set n = namespace(x=[1]) %}{% for i in range(999) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x == [n.x] }}", "256 levels")]
    [InlineData("{% set x = 'a' * 4000000 %}{% for i in range(9) %}{{ x }}{% endfor %}", "more than 16777216 characters")]
    [InlineData("{% set x = 'a' * 4000000 %}{% for i in range(99) %}{% set y = x | replace('a', 'b') %}{% endfor %}", "steps")]
    [InlineData("{{ (('a' * 63 ~ 'b') * 40000) | replace('b', 'c' * 400) }}", "more than 16777216 characters")]
    [InlineData("{{ (['a' * 1000000] + ['b' * 1000000]) | join('c' * 15999999) }}", "more than 16777216 characters")]
    public void Render_Failing_SaysWhyInWords(string template, string fault)
    {
        var parsed = ChatTemplate.Parse(template);
        var error = Assert.Throws<FormatException>(() => parsed.Render(Messages, true));
        Assert.Contains("line 1", error.Message);
        Assert.Contains(fault, error.Message);
    }

    [Theory]
    [InlineData("(", ")")]
    [InlineData("[", "]")]
    [InlineData("not ", "")]
    [InlineData("-", "")]
    [InlineData("a[", "]")]
    [InlineData("1 if 1 else ", "")]
    [InlineData("{'a':", "}")]
    [InlineData("f(", ")")]
    public void Parse_EndlessNesting_IsRefused(string open, string close)
    {
        foreach (var depth in (int[])[300, 50000])
        {
            var template = "{{ " + string.Concat(Enumerable.Repeat(open, depth)) + "1" + string.Concat(Enumerable.Repeat(close, depth)) + " }}";
            Assert.Contains("256 levels", Assert.Throws<FormatException>(() => ChatTemplate.Parse(template)).Message);
        }
    }

    [Theory]
    [InlineData("{% if true %}", "{% endif %}")]
    [InlineData("{% for x in [1] %}", "{% endfor %}")]
    [InlineData("{% set x %}", "{% endset %}")]
    public void Parse_EndlessBlocks_AreRefused(string open, string close)
    {
        var template = string.Concat(Enumerable.Repeat(open, 20000)) + string.Concat(Enumerable.Repeat(close, 20000));
        Assert.Contains("256 levels", Assert.Throws<FormatException>(() => ChatTemplate.Parse(template)).Message);
    }

    [Theory]
    [InlineData(" + 1")]
    [InlineData(" ~ 1")]
    [InlineData(" or 0")]
    [InlineData(" | string")]
    [InlineData(" is none")]
    public void Render_EndlessChain_IsRefused(string link)
    {
        var template = ChatTemplate.Parse("{{ 0" + string.Concat(Enumerable.Repeat(link, 50000)) + " }}");
        Assert.Contains("256 levels", Assert.Throws<FormatException>(() => template.Render([], false)).Message);
    }

    [Fact]
    public void Parse_OverlongTemplate_IsRefused() =>
        Assert.Contains("at most", Assert.Throws<FormatException>(() => ChatTemplate.Parse(new string('a', (1 << 20) + 1))).Message);

    [Fact]
    public void Render_AnyCutOrChange_NeverFailsOtherwiseThanByFormat()
    {
        const string Template =
            "{%- for m in messages if m.role is not none -%}\n{% set x = m['content'] | trim ~ [1, {'a': 2}][1].a %}{# c #}"
            + "{{ x[1:] if loop.first else x.split('e', 1)[0] }}{% if x is odd %}{% elif not x in 'ab' %}{{- 1 + -2.5 // 3 -}}{% else %}{% endif %}{% endfor %}";
        var rng = new Rng(17);
        var refused = 0;
        for (var round = 0; round < 5000; round++)
        {
            var text = Template.ToCharArray();
            var edits = 1 + (int)(rng.NextUInt32() % 3);
            for (var i = 0; i < edits; i++)
                text[rng.NextUInt32() % text.Length] = Template[(int)(rng.NextUInt32() % Template.Length)];
            var length = round % 2 == 0 ? text.Length : (int)(rng.NextUInt32() % text.Length);
            try
            {
                ChatTemplate.Parse(new string(text, 0, length)).Render(Messages, true);
            }
            catch (FormatException error)
            {
                Assert.StartsWith("Chat template, line ", error.Message);
                refused++;
            }
        }

        Assert.InRange(refused, 2000, 5000);
    }
}
