using System.Text;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>Hands text on with what could act on a terminal spelled out; line breaks and tabs stay.</summary>
internal sealed class PrintableWriter(TextWriter inner) : TextWriter
{
    public override Encoding Encoding => inner.Encoding;

    public override void Write(char value)
    {
        if (value is '\n' or '\t' || !Printable.IsActing(value)) inner.Write(value);
        else inner.Write(Printable.Spelled(value));
    }

    public override void Write(ReadOnlySpan<char> buffer)
    {
        int done = 0;
        for (int i = 0; i < buffer.Length; i++)
        {
            if (buffer[i] is (>= ' ' and <= '~') or '\n' or '\t' || !Printable.IsActing(buffer[i])) continue;
            inner.Write(buffer[done..i]);
            inner.Write(Printable.Spelled(buffer[i]));
            done = i + 1;
        }
        inner.Write(buffer[done..]);
    }

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override void Write(string? value) => Write(value.AsSpan());

    public override void WriteLine(string? value)
    {
        Write(value.AsSpan());
        inner.WriteLine();
    }

    public override void WriteLine() => inner.WriteLine();

    public override void Flush() => inner.Flush();
}
