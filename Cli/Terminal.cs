using System.Text;

namespace MambaRT.Cli;

/// <summary>The three standard streams, as UTF-8 without a byte order mark, and whether a person is at their ends.</summary>
internal sealed class Terminal
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    public required TextReader In { get; init; }

    /// <summary>Results alone: generated text, or JSON. Buffered; flush what should be seen at once.</summary>
    public required TextWriter Out { get; init; }

    /// <summary>Everything else: notes, progress, errors.</summary>
    public required TextWriter Error { get; init; }

    public bool InIsTerminal { get; init; }

    public bool OutIsTerminal { get; init; }

    public bool ErrorIsTerminal { get; init; }

    /// <summary>The streams of this process.</summary>
    public static Terminal Open() => new()
    {
        In = new StreamReader(Console.OpenStandardInput(), Utf8),
        Out = new StreamWriter(StandardOutput.Open(), Utf8, 1 << 14),
        Error = new StreamWriter(Console.OpenStandardError(), Utf8, 256) { AutoFlush = true },
        InIsTerminal = !Console.IsInputRedirected,
        OutIsTerminal = !Console.IsOutputRedirected,
        ErrorIsTerminal = !Console.IsErrorRedirected,
    };

    /// <summary>Writes a line for the person at the terminal.</summary>
    public void Note(string line) => Error.WriteLine(line);

    /// <summary>Shows generated text as it comes.</summary>
    public void Stream(string text)
    {
        Out.Write(text);
        Out.Flush();
    }
}
