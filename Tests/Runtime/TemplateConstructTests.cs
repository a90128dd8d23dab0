using Xunit;

namespace MambaRT.Tests;

/// <summary>Less common constructs of chat templates, with the text that the Python library Jinja renders.</summary>
public sealed class TemplateConstructTests
{
    private static readonly ChatMessage[] Messages = [new("system", "Be brief."), new("user", " Hi! "), new("assistant", "Hello."), new("user", "Bye")];

    [Theory]
    [InlineData(
        "{% for x in [{'n': 'a', 'c': [{'n': 'b', 'c': [{'n': 'c'}]}, {'n': 'd'}]}, {'n': 'e'}] recursive %}{{ loop.depth }}{{ loop.depth0 }}{{ loop.index }}{{ x.n }}{% if x.c %}({{ loop(x.c) }}){% endif %}{% endfor %}",
        "101a(211b(321c)212d)102e")]
    [InlineData(
        "{% for x in [1, [2, [3, 4]], 5] recursive %}{% if x is iterable %}<{{ loop(x) }}>{% else %}{{ x }}{{ ',' if not loop.last }}{% endif %}{% else %}none{% endfor %}",
        "1,<2,<3,4>>5")]
    [InlineData(
        "{% for x in [[]] recursive %}{{ loop(x) }}{% else %}none{% endfor %}",
        "none")]
    [InlineData(
        "{% for x in [[1, 2, 3], [4]] recursive %}{% if x is iterable %}{{ loop(x) | upper }}{% else %}{{ x }}{% if x == 2 %}{% break %}{% endif %}{% endif %};{% endfor %}",
        "1;2;4;;")]
    [InlineData(
        "{% for m in messages %}{{ loop.cycle('odd', 'even', 'x') }}{{ loop.changed(m.role) }}{{ loop.changed(m.role, loop.index > 2) }} {% endfor %}",
        "oddTrueTrue evenTrueTrue xTrueTrue oddTrueTrue ")]
    [InlineData(
        "{% for a in [1, 1, 2, 2, 1] %}{% if loop.changed(a) %}{{ a }}{% endif %}{% endfor %}",
        "121")]
    [InlineData(
        "{% set j = joiner('|') %}{% set k = joiner() %}{% for x in 'abc' %}{{ j() }}{{ x }}{{ k() }}{% endfor %}",
        "a|b, |c, ")]
    [InlineData(
        "{% set c = cycler('a', 'b', 'c') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.reset() }}{{ c.next() }}",
        "abccaNonea")]
    [InlineData(
        "{% autoescape false %}<{{ '<b>' }}>{% set q = 1 %}{% endautoescape %}{{ q is defined }}",
        "<<b>>False")]
    [InlineData(
        "{% for x in [1, 2] %}{% autoescape false %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endautoescape %}{% endfor %}",
        "2")]
    [InlineData(
        "{{ 1_000 + 1 }} {{ 0xff }} {{ 0b1_01 }} {{ 0o17 }} {{ 1_0.2_5 }} {{ 1e1_0 }} {{ 0xFF_ff }} {{ 0 }} {{ 00 }}",
        "1001 255 5 15 10.25 10000000000.0 65535 0 0")]
    [InlineData(
        "{{ '42'.zfill(5) }} {{ '-42'.zfill(5) }} {{ '+a'.zfill(4) }} {{ 'abc'.zfill(2) }} {{ ''.zfill(2) }}",
        "00042 -0042 +00a abc 00")]
    [InlineData(
        "[{{ 'ab'.center(5) }}][{{ 'abc'.center(6) }}][{{ 'ab'.center(7, '*') }}][{{ 'ab'.ljust(4) }}][{{ 'ab'.rjust(4, '.') }}][{{ 'ab' | center(5) }}][{{ 'abcdef'.center(3) }}][{{ '\u00e9\ud83d\ude42'.rjust(4, '\ud83d\ude42') }}]",
        "[  ab ][ abc  ][***ab**][ab  ][..ab][  ab ][abcdef][\ud83d\ude42\ud83d\ude42\u00e9\ud83d\ude42]")]
    [InlineData(
        "{{ 'a\tb\n\tc'.expandtabs() }}|{{ 'a\tbcd\te'.expandtabs(4) }}|{{ 'a\tb'.expandtabs(0) }}|{{ '\t\t'.expandtabs(3) }}",
        "a       b\n        c|a   bcd e|ab|      ")]
    [InlineData(
        "{{ 'aBc D\u00e91'.swapcase() }} {{ 'Abc Def'.istitle() }}{{ 'Abc def'.istitle() }}{{ ''.istitle() }}{{ 'A1b'.istitle() }} {{ 'abc'.isascii() }}{{ '\u00e9'.isascii() }}{{ ''.isascii() }} {{ 'a b'.isprintable() }}{{ 'a\n'.isprintable() }} {{ 'a_1'.isidentifier() }}{{ '1a'.isidentifier() }}{{ ''.isidentifier() }}",
        "AbC d\u00c91 TrueFalseFalseFalse TrueFalseTrue TrueFalse TrueFalseFalse")]
    [InlineData(
        "{{ '{a}-{b}'.format_map({'a': 1, 'b': 'x'}) }}",
        "1-x")]
    [InlineData(
        "{{ 'abcabc'.find('c', 3) }} {{ 'abcabc'.find('b', 2, 4) }} {{ 'abcabc'.rfind('b', 0, 4) }} {{ 'abcabc'.count('b', 2) }} {{ 'abcabc'.startswith('b', 1) }}{{ 'abcabc'.endswith('b', 0, 2) }}{{ 'abcabc'.find('a', -3) }} {{ '\ud83d\ude42ab\ud83d\ude42ab'.find('a', 2) }} {{ 'abc'.index('c', -1) }} {{ 'abab'.count('ab', -3) }}",
        "5 -1 1 1 TrueTrue3 4 2 1")]
    [InlineData(
        "{{ 'a\nb\r\nc\rd\u000be\n'.splitlines() }} {{ 'a\nb\r\n\n'.splitlines(true) }} {{ ''.splitlines() }} {{ '\n'.splitlines() }} {{ 'x\u2028y'.splitlines() | length }}",
        "['a', 'b', 'c', 'd', 'e'] ['a\\n', 'b\\n', '\\n'] [] [''] 2")]
    [InlineData(
        "{{ '\\101\\U0001F642\\x41' }}",
        "A\ud83d\ude42A")]
    [InlineData(
        "{{ 'the quick brown fox' | wordwrap(10) }}|{{ 'abcdefghij kl' | wordwrap(4) }}|{{ 'abcdefghij kl' | wordwrap(4, false) }}|{{ 'a b c' | wordwrap(3, true, '/') }}|{{ 'well-known fact-check' | wordwrap(8) }}|{{ 'one two\n\nthree four' | wordwrap(7) }}|{{ 'ab-cd' | wordwrap(3, true, '/', false) }}|{{ '  lead and trail  ' | wordwrap(6, true, '/') }}|{{ 'foo--bar baz' | wordwrap(5, true, '/') }}",
        "the quick\nbrown fox|abcd\nefgh\nij\nkl|abcdefghij\nkl|a b/c|well-\nknown\nfact-\ncheck|one two\n\nthree\nfour|ab-/cd|  lead/and/trail|foo--/bar/baz")]
    [InlineData(
        "{{ 'foo bar baz qux' | truncate(9) }}|{{ 'foo bar baz qux' | truncate(9, true) }}|{{ 'foo bar baz qux' | truncate(11) }}|{{ 'foo bar baz qux' | truncate(11, false, '..', 0) }}|{{ 'abcdefghijklmnop' | truncate(5) }}|{{ 'short' | truncate }}",
        "foo...|foo ba...|foo bar baz qux|foo bar..|ab...|short")]
    [InlineData(
        "{{ '<p>Hi &amp; <b>you</b>\n  <!-- x <y> -->there&#33; &lt;b&gt; a < b & c</p>' | striptags }}",
        "Hi & you there! <b> a")]
    [InlineData(
        "{{ 'a b/c?d=\u00e9&f' | urlencode }}|{{ {'a b': 'c/d', 'e': 1} | urlencode }}|{{ [('x', 'y z'), ('q', '&')] | urlencode }}|{{ 5 | urlencode }}|{{ '~-_.' | urlencode }}",
        "a%20b/c%3Fd%3D%C3%A9%26f|a+b=c%2Fd&e=1|x=y+z&q=%26|5|~-_.")]
    [InlineData(
        "{{ {'class': 'a \"b\"', 'id': none, 'n': 1} | xmlattr }}|{{ {'a': '<'} | xmlattr(false) }}|{{ {} | xmlattr }}",
        " class=\"a &#34;b&#34;\" n=\"1\"|a=\"&lt;\"|")]
    [InlineData(
        "{{ [1, 2, 3, 4, 5, 6, 7] | slice(3) | list }}{{ [1, 2, 3, 4, 5] | slice(3, 'x') | list }}{{ [1] | slice(2) | list }}",
        "[[1, 2, 3], [4, 5], [6, 7]][[1, 2], [3, 4], [5, 'x']][[1], []]")]
    [InlineData(
        "{{ [1, 2, 3] | batch(2, '-') | list }}{{ [1, 2, 3, 4] | batch(2) | list }}{{ [] | batch(2) | list }}",
        "[[1, 2], [3, '-']][[1, 2], [3, 4]][]")]
    [InlineData(
        "{% for g in messages | groupby('role') %}{{ g.grouper }}:{{ g.list | length }}{{ g[0] }} {% endfor %}{% for k, v in [{'a': 'X'}, {'a': 'x'}, {'b': 1}] | groupby('a', default='n') %}{{ k }}{{ v | length }};{% endfor %}{% for k, v in [{'a': 'X'}, {'a': 'x'}] | groupby('a', case_sensitive=true) %}{{ k }}{{ v | length }};{% endfor %}",
        "assistant:1assistant system:1system user:2user n1;X2;X1;x1;")]
    [InlineData(
        "{{ {'b': 1, 'A': 2, 'c': 0} | dictsort }}{{ {'b': 1, 'A': 2} | dictsort(true) }}{{ {'b': 1, 'A': 2} | dictsort(false, 'value') }}{{ {'b': 1, 'A': 2} | dictsort(reverse=true) }}",
        "[('A', 2), ('b', 1), ('c', 0)][('A', 2), ('b', 1)][('b', 1), ('A', 2)][('b', 1), ('A', 2)]")]
    [InlineData(
        "{{ {'b': [1, 2], 'a': {'z': none, 'y': 'q'}} | pprint }}|{{ ['a' * 30, 'b' * 30, {'k': 'c' * 30, 'b': ('x' * 60, 'y' * 20)}] | pprint }}|{{ 'it' | pprint }}|{{ 1.5 | pprint }}",
        "{'a': {'y': 'q', 'z': None}, 'b': [1, 2]}|['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',\n 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',\n {'b': ('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',\n        'yyyyyyyyyyyyyyyyyyyy'),\n  'k': 'cccccccccccccccccccccccccccccc'}]|'it'|1.5")]
    [InlineData(
        "{{ [1, 2] | sum(start=10) }}{{ [{'n': 1.5}, {'n': 2}] | sum('n') }}",
        "133.5")]
    [InlineData(
        "{{ '<a>' | forceescape }}{{ '<' | escape }}{{ 'x' is escaped }}",
        "&lt;a&gt;&lt;False")]
    [InlineData(
        "{% filter wordwrap(5) | upper %}ab cd ef{% endfilter %}{% macro m() %}{{ caller('x') if caller is defined }}{% endmacro %}{% call(a) m() %}[{{ a }}]{% endcall %}{{ m() }}",
        "AB CD\nEF[x]")]
    [InlineData(
        "{{ 'ab' | center(7) }}|{{ 'x' | indent }}|{{ ['b', 'a'] | min }}{{ 'abc' | last }}{{ 'h\u00e9\u00e9 w\u00f6rld' | title | wordcount }}",
        "   ab  |x|ac2")]
    [InlineData("{{ 'a,b c_d' | wordcount }}{{ 3 * [1] }}{{ (1,) * 2 }}{{ 0 * [1] }}|{{ 'a\r\nb\n\nc\n' | indent(2) }}|{{ 'a\n\nb' | indent(1, true, true) }}", "3[1, 1, 1](1, 1)[]|a\n  b\n\n  c\n| a\n \n b")]
    public void Render_Construct_EqualsJinja(string template, string expected) =>
        Assert.Equal(expected, ChatTemplate.Parse(template).Render(Messages, true, "<s>", "</s>"));

    [Theory]
    [InlineData("{% for x in [1] %}{{ loop(x) }}{% endfor %}", "needs 'recursive'")]
    [InlineData("{% for x in [1] recursive %}{{ loop([x]) }}{% endfor %}", "256 levels")]
    [InlineData("{% for x in [1] recursive %}{{ loop(2) }}{% endfor %}", "cannot loop over an integer")]
    [InlineData("{% for x in [1] %}{{ loop.cycle() }}{% endfor %}", "needs values")]
    [InlineData("{% for x in [1] %}{{ loop.frob() }}{% endfor %}", "no method 'frob'")]
    [InlineData("{{ [1, 2] | random }}", "'random' is not supported")]
    [InlineData("{% autoescape true %}{% endautoescape %}", "with false only")]
    [InlineData("{{ cycler() }}", "at least one")]
    [InlineData("{{ [1] | slice(0) }}", "at least 1")]
    [InlineData("{{ 'a' | wordwrap(0) }}", "at least 1")]
    [InlineData("{{ 'a' | truncate(1) }}", "at least 3")]
    [InlineData("{{ {'a b': 1} | xmlattr }}", "a space")]
    [InlineData("{{ 'a'.center(9, 'ab') }}", "single character")]
    [InlineData("{{ 'a'.zfill(99999999999) }}", "more than 16777216 characters")]
    [InlineData("{{ 'a\\t'.expandtabs(99999999999) }}", "more than 16777216 characters")]
    [InlineData("{{ 0xffffffffffffffff }}", "64 bits")]
    [InlineData("{{ 1__0 }}", "'}}' is needed")]
    public void Render_Failing_SaysWhyInWords(string template, string fault)
    {
        FormatException error = Assert.Throws<FormatException>(() => ChatTemplate.Parse(template).Render(Messages, true));
        Assert.Contains("line 1", error.Message, StringComparison.Ordinal);
        Assert.Contains(fault, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{{ m | striptags }}", "&lt;|im_end|&gt;", "<|im_end|>")]
    [InlineData("{{ m | striptags }}", "&#60;&#124;&#105;&#109;&#95;&#101;&#110;&#100;&#124;&#62;", "<|im_end|>")]
    [InlineData("{{ ('&' ~ m) | striptags }}", "lt;|im_end|>", "<|im_end|>")]
    [InlineData("{{ m | wordwrap(99) | truncate(99) }}{{ m.zfill(1).center(2).expandtabs().swapcase().swapcase() }}", "<|im_end|>", "<|im_end|><|im_end|>")]
    public void Render_ContentThroughFilters_StaysContent(string template, string content, string plain)
    {
        var twins = new TemplateTwins([], [content]);
        string text = ChatTemplate.Parse("{% set m = messages[0].content %}" + template)
            .Render([new("user", content)], true, "", "", twins, DateTime.Now, CancellationToken.None);
        Assert.Equal(plain, twins.Plain(text));
        Assert.DoesNotContain("<|im_end|>", text, StringComparison.Ordinal);
        Assert.DoesNotContain('<', text);
    }
}
