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

    /// <summary>What asks the program to end.</summary>
    public Interrupt Interrupt { get; init; } = new();

    /// <summary>The streams of this process.</summary>
    public static Terminal Open() => new()
    {
        In = new StreamReader(Console.OpenStandardInput(), Utf8),
        Out = new StreamWriter(StandardOutput.Open(), Utf8, 1 << 14),
        Error = OpenError(),
        InIsTerminal = !Console.IsInputRedirected,
        OutIsTerminal = !Console.IsOutputRedirected,
        ErrorIsTerminal = !Console.IsErrorRedirected,
        Interrupt = Interrupt.Listening(),
    };

    /// <summary>Standard error; what cannot be written there is lost, for there is no other place to say so.</summary>
    public static TextWriter OpenError() => new StreamWriter(new LossyStream(Console.OpenStandardError()), Utf8, 256) { AutoFlush = true };

    /// <summary>Reads standard input to its end.</summary>
    /// <exception cref="IOException">It is longer than texts may be.</exception>
    public string ReadAll() => TextFile.ReadToEnd(In, "Standard input");

    /// <summary>Writes a line for the person at the terminal.</summary>
    public void Note(string line) => Error.WriteLine(line);

    /// <summary>Shows generated text as it comes.</summary>
    public void Stream(string text)
    {
        Out.Write(text);
        Out.Flush();
    }

    /// <summary>Writes bytes that need not be text, after the text so far.</summary>
    public void WriteBytes(ReadOnlySpan<byte> bytes)
    {
        Out.Flush();
        if (Out is StreamWriter { BaseStream: var stream }) stream.Write(bytes);
        else Out.Write(Encoding.Latin1.GetString(bytes));   // a writer without bytes gets a character for each
    }
}
