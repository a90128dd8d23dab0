using System.Diagnostics;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Templates that try to run for long or to take much memory, and templates cut, spliced and changed at random.</summary>
public sealed class TemplateMutationTests
{
    private static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(5);   // five times what is promised: a test machine is shared
    private const long MaxBytes = 600L << 20;   // of garbage as well; what lives at a time is less than half of it

    private static readonly ChatMessage[] Messages = [new("system", "Be <|brief|>."), new("user", " Hi! "), new("assistant", "<think>x</think>Hello."), new("user", "Bye")];

    private static readonly string[] Hostile =
    [
        "{{ ('a' * 8000000) | trim('b' * 8000000 ~ 'a') }}",
        "{{ ('a' * 4000000).strip('b' * 4000000 ~ 'a') }}",
        "{% set a = 'a' * 4000000 %}{% set b = 'b' * 4000000 %}{% set t = a ~ b %}{% set q = ('a' * 2000000) ~ 'c' ~ ('b' * 1999999) %}{% if q in t %}x{% endif %}",
        "{% set t = ('a' * 3000000) ~ ('b' * 3000000) %}{% set q = ('a' * 1000000) ~ 'c' ~ ('b' * 1999999) %}{{ t.split(q) | length }}{{ t | replace(q, 'x') | length }}",
        "{% set a = 'x' * 16000000 %}{% set b = 'x' * 16000000 %}{% for i in range(60000) %}{% if a < b %}{% endif %}{% endfor %}",
        "{% set a = 'x' * 16000000 %}{% set b = 'x' * 16000000 %}{% for i in range(60000) %}{% if a == b %}{% endif %}{% endfor %}",
        "{% set a = ['x' * 4000000] %}{% set b = ['x' * 4000000] %}{% for i in range(60000) %}{% set z = a == b %}{% endfor %}",
        "{% set a = 'x' * 16000000 %}{% for i in range(100000) %}{% if a | length == 1 %}{% endif %}{% endfor %}",
        "{% set a = '1' * 16000000 %}{% for i in range(100000) %}{% set b = a | int %}{% set c = a | float %}{% endfor %}",
        "{% set s = 'k' * 16000000 %}{% set d = {s: 1} %}{% for i in range(60000) %}{% set z = d[s] %}{% endfor %}",
        "{% set ns = namespace(x=range(300000)) %}{% for i in range(245) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x | tojson(indent=16) | length }}",
        "{% set a = ['\\\\' * 8000000] %}{{ a }}",
        "{% set a = '\\u0001' * 16000000 %}{{ a | tojson | length }}",
        "{% set a = 'x ' * 600000 %}{{ a.split() | length }}{{ a.split() | length }}{{ a | list | length }}",
        "{% set a = 'x' * 900000 %}{% for c in a %}{% endfor %}{{ a | reverse | length }}",
        "{% set a = 'x' * 1000000 %}{% for i in range(600) %}{% set b = a | upper | lower | capitalize | title %}{% endfor %}",
        "{{ range(200000) | list | sort(reverse=true) | length }}{{ range(9000) | unique | list | length }}",
        "{% set l = [] %}{% for i in range(100000) %}{% do l.insert(0, i) %}{% endfor %}{% for i in range(100000) %}{% do l.pop(0) %}{% endfor %}",
        "{% set d = {} %}{% for i in range(100000) %}{% do d.update({i | string: i}) %}{% endfor %}{% for i in range(100000) %}{% do d.pop(i | string) %}{% endfor %}",
        "{% macro m(x) %}{{ x }}{{ caller() if caller }}{% endmacro %}{% for i in range(100000) %}{% call m('y' * 100) %}z{% endcall %}{% endfor %}",
        "{% for a in range(9) %}{% for b in range(9) %}{% for c in range(9) %}{% for d in range(9) %}{% for e in range(9) %}{% for f in range(9) %}{% for g in range(9) %}{{ missing }}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
        "{% set l = ['x' * 100000] %}{% for i in range(100) %}{% set l = l + l %}{% endfor %}{{ l | join }}",
        "{{ '%16000000d' % 1 }}{{ '%-16000000s' % 'a' }}{{ 'a' | center(16000000) | length }}",
        "{{ raise_exception('x' * 10000000) }}",
        "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x < n.x }}{{ [n.x, n.x] | unique | list }}",
        "{% for x in [1, 2] recursive %}{{ loop([x, x]) }}{% endfor %}",
        "{% for x in range(300) recursive %}{{ loop(range(300)) if loop.depth < 9 }}{{ loop.changed(x) }}{{ loop.cycle(1, 2) }}{% endfor %}",
        "{% set a = 'x' * 9000000 %}{% for i in range(9999) %}{{ loop.changed(a ~ i) }}{% endfor %}",
        "{% set a = '\\t' * 4000000 %}{{ a.expandtabs(8) | length }}{{ a.expandtabs(999999999999) }}",
        "{% set a = 'ab-cd ' * 2000000 %}{{ a | wordwrap(20) | length }}{{ a | wordwrap(1, true, 'y' * 1000) | length }}",
        "{{ ('a' * 8000000) | wordwrap(1) | length }}{{ ('a-' * 4000000) | wordwrap(3) | length }}{{ ('-' * 8000000) | wordwrap(79) | length }}",
        "{% set a = '<' * 8000000 %}{{ a | striptags | length }}{{ ('<!--' * 2000000) | striptags | length }}{{ ('&' * 8000000) | striptags | length }}",
        "{% set a = '&amp;' * 1600000 %}{% for i in range(99) %}{{ a | striptags | length }}{% endfor %}",
        "{% set a = 'é' * 4000000 %}{{ a | urlencode | length }}{{ {a: a} | xmlattr | length }}{{ a | truncate(3999999) | length }}",
        "{% set a = 'x' * 9000000 %}{% for i in range(9999) %}{% set z = a.center(9000001) ~ a.zfill(9) ~ a.swapcase() %}{% if a.istitle() or a.isprintable() or a.isidentifier() %}{% endif %}{% endfor %}",
        "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x | pprint }}",
        "{% set n = namespace(x=['y' * 99]) %}{% for i in range(240) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x | pprint | length }}{{ ([['z' * 9] * 9000] * 9) | pprint | length }}",
        "{{ range(900000) | slice(900000) | list | length }}{{ range(9) | slice(999999999999) | list }}",
        "{% set a = '\n' * 900000 %}{{ a.splitlines() | length }}{{ a.splitlines(true) | length }}{{ (a * 9).find('x', -3) }}{{ (a * 9).count('x', 5) }}",
        "{% set j = joiner('x' * 9000000) %}{% for i in range(99999) %}{% set z = j() %}{{ z | length }}{% endfor %}",
    ];

    private static readonly string[] Real =
    [
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
        "{%- macro show(value, depth=0) -%}\n{%- if value is mapping -%}{%- for k, v in value | dictsort -%}{{ k }}={{ show(v, depth + 1) }};{%- endfor -%}{%- elif value is string -%}{{ value | trim | tojson }}{%- else -%}{{ value | list | join(', ') }}{%- endif -%}\n{%- endmacro -%}\n{%- set ns = namespace(last=-1, parts=[]) -%}\n{%- for m in messages -%}\n{%- if m.role == 'user' and 0 <= loop.index0 < 99 -%}{%- set ns.last = loop.index0 -%}{%- endif -%}{%- do ns.parts.append(m.content) -%}\n{%- endfor -%}\n{%- for m in messages -%}<|{{ m.role }}|>{%- set content = m.content -%}{%- if '</think>' in content -%}{%- set think, content = content.split('</think>')[0], content.split('</think>')[-1].lstrip('\\n') -%}{%- endif -%}{{ content[:20] ~ show(m) }}<|end|>{%- endfor -%}{{ ns.parts | map('length') | sum }}{{ strftime_now('%d %B %Y') }}",
        "{% filter replace('a', 'bb') | upper %}{% raw %}{{ a }}{% endraw %}{% for m in messages | selectattr('role', 'in', ['user']) %}{{ m.content.title().rsplit(' ', 1)[-1] }}{{ '%5.2f|%s' | format(loop.index, m.role) }}{% endfor %}{% endfilter %}{{ messages[::-1] | map(attribute='content') | unique | sort | batch(2) | list | tojson(indent=2) }}",
        "{% set loop_messages = messages[1:] if messages[0].role == 'system' else messages %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('order') }}{% endif %}{{ message.content.strip() | indent(2) }}{{ loop.cycle if false }}{% endfor %}",
    ];

    private static readonly string[] Scraps =
    [
        "'x' * 16000000", " ~ ", " | tojson(indent=16)", "range(999999)", "{% for i in range(9999) %}", "{% endfor %}", " | sort", " | list", "[::-1]", ".split('x')",
        " | replace('x', 'yy')", "{{ ", " }}", "{% ", " %}", "(", ")", "[", "]", " + ", " * ", " in ", " | join", ".append(messages)", " | unique", "messages", "0", "-1",
        "{% macro f(x) %}", "{% endmacro %}", "f(f)", "{% set ns.last = ", "'%99999999s' % ", ".format(", " | upper", " | map('length')", "\n", "9223372036854775807", "\"", "{% do ",
    ];

    [Fact]
    public void Render_HostileTemplate_EndsSoonWithinBoundedMemory()
    {
        foreach (string template in Hostile) Check(template);
    }

    [Fact]
    public void Render_MutatedTemplate_EndsSoonAndFailsOnlyByFormat()
    {
        var rng = new Rng(12);
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("MAMBART_MUTANTS"), out int given) ? given : 600;
        for (int round = 0; round < rounds; round++) Check(Mutant(rng));
    }

    [Fact]
    public void Render_LargeTexts_LeavesNoneInThePoolOfArrays()
    {
        ChatTemplate template = ChatTemplate.Parse("{{ ('ab' * 8000000) | length }}{{ ('x' * 100000)[::-1] | reverse | length }}");
        long made = 0;
        var thread = new Thread(() =>
        {
            template.Render(Messages, true);
            long before = GC.GetAllocatedBytesForCurrentThread();
            _ = System.Buffers.ArrayPool<char>.Shared.Rent(1 << 24);   // one that is made for it was not kept for it
            made = GC.GetAllocatedBytesForCurrentThread() - before;
        });
        thread.Start();
        thread.Join();
        Assert.InRange(made, sizeof(char) << 24, long.MaxValue);
    }

    [Fact]
    public void Render_Cancelled_EndsByThat()
    {
        using var cancel = new CancellationTokenSource();
        cancel.Cancel();
        Assert.Throws<OperationCanceledException>(() => ChatTemplate.ChatMl.Render(Messages, true, "", "", null, DateTime.Now, cancel.Token));
    }

    private static string Mutant(Rng rng)
    {
        string text = Pick(rng, rng.NextUInt32() % 3 == 0 ? Hostile : Real);
        for (uint edits = 1 + rng.NextUInt32() % 6; edits > 0; edits--)
        {
            int at = (int)(rng.NextUInt32() % (uint)(text.Length + 1)), end = Math.Min(text.Length, at + (int)(rng.NextUInt32() % 12));
            string other = Pick(rng, rng.NextUInt32() % 2 == 0 ? Hostile : Real);
            int from = (int)(rng.NextUInt32() % (uint)other.Length), to = Math.Min(other.Length, from + 1 + (int)(rng.NextUInt32() % 60));
            text = (rng.NextUInt32() % 5) switch
            {
                0 => text[..at] + text[end..],
                1 => text[..at] + other[from..to] + text[at..],
                2 => text[..at] + text[at..end] + text[at..],
                3 => text[..at] + (char)(' ' + rng.NextUInt32() % 95) + text[end..],
                _ => text[..at] + Pick(rng, Scraps) + text[at..],
            };
        }
        return text;
    }

    private static string Pick(Rng rng, string[] from) => from[rng.NextUInt32() % (uint)from.Length];

    /// <summary>Renders plainly and with contents marked, as a chat does.</summary>
    private static void Check(string template)
    {
        foreach (bool marked in (bool[])[false, true])
        {
            TemplateTwins? twins = marked ? new TemplateTwins([], Messages.Select(m => m.Content)) : null;
            long start = Stopwatch.GetTimestamp(), bytes = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                ChatTemplate.Parse(template).Render(Messages, true, "<s>", "</s>", twins, DateTime.Now, CancellationToken.None);
            }
            catch (FormatException error)
            {
                Assert.StartsWith("Chat template, line ", error.Message);
                Assert.InRange(error.Message.Length, 1, 1100);
            }
            Assert.True(Stopwatch.GetElapsedTime(start) < MaxTime, $"took {Stopwatch.GetElapsedTime(start)}: {template}");
            Assert.True(GC.GetAllocatedBytesForCurrentThread() - bytes < MaxBytes, $"took {(GC.GetAllocatedBytesForCurrentThread() - bytes) >> 20} MiB: {template}");
        }
    }
}
