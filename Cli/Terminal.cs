using System.Text;

namespace MambaRT.Cli;

/// <summary>The three standard streams, as UTF-8 without a byte order mark, and whether a person is at their ends.</summary>
internal sealed class Terminal
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    public required TextReader In { get; init; }

    /// <summary>Results alone: listings, or JSON; what could act on a terminal is spelled out. Buffered; flush what should be seen at once.</summary>
    public required TextWriter Out
    {
        get;
        init
        {
            RawOut = value;
            field = new PrintableWriter(value);
        }
    }

    /// <summary>Everything else: notes, progress, errors; what could act on a terminal is spelled out.</summary>
    public required TextWriter Error
    {
        get;
        init
        {
            RawError = value;
            field = new PrintableWriter(value);
        }
    }

    /// <summary>Standard output for what is not to be changed: generated text in a pipe, and escape sequences of our own where <see cref="Styled"/>.</summary>
    public TextWriter RawOut { get; private init; } = TextWriter.Null;

    /// <summary>Standard error for escape sequences of our own where <see cref="Styled"/>.</summary>
    public TextWriter RawError { get; private init; } = TextWriter.Null;

    public bool InIsTerminal { get; init; }

    public bool OutIsTerminal { get; init; }

    public bool ErrorIsTerminal { get; init; }

    /// <summary>Whether terminals may be sent escape sequences: not where TERM says that there is none or a dumb one, and not with NO_COLOR.</summary>
    public bool Styled { get; init; }

    /// <summary>Columns of the terminal that standard output is.</summary>
    public Func<int> Columns { get; init; } = () => 80;

    /// <summary>What asks the program to end.</summary>
    public Interrupt Interrupt { get; init; } = new();

    /// <summary>The streams of this process.</summary>
    public static Terminal Open() => new()
    {
        In = new StreamReader(StandardStream.Input(), Utf8),
        Out = new StreamWriter(StandardStream.Output(), Utf8, 1 << 14),
        Error = new StreamWriter(OpenError(), Utf8, 256) { AutoFlush = true },
        InIsTerminal = !Console.IsInputRedirected,
        OutIsTerminal = !Console.IsOutputRedirected,
        ErrorIsTerminal = !Console.IsErrorRedirected,
        Styled = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
            && (OperatingSystem.IsWindows() || Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb")),
        Columns = ConsoleKeys.Columns,
        Interrupt = Interrupt.Listening(),
    };

    /// <summary>Standard error; what cannot be written there is lost, for there is no other place to say so.</summary>
    public static Stream OpenError() => new LossyStream(StandardStream.Error());

    /// <summary>Reads standard input to its end.</summary>
    /// <exception cref="IOException">It is longer than texts may be.</exception>
    public string ReadAll() => TextFile.ReadToEnd(In, "Standard input");

    /// <summary>Reads a text that an option names; '-' is standard input.</summary>
    /// <exception cref="IOException">It cannot be read, or is too long; the message names it.</exception>
    public string ReadText(string file)
    {
        string text = file == "-" ? ReadAll() : TextFile.Read(file);
        int replaced = text.AsSpan().Count('\uFFFD');
        if (replaced > 0) Note($"{(file == "-" ? "Standard input" : $"'{file}'")} has U+FFFD {(replaced == 1 ? "once" : $"{replaced} times")}, which bytes that are no UTF-8 are read as; if that is not meant, convert it, such as by 'iconv -f latin1 -t utf-8'.");
        return text;
    }

    /// <summary>Writes one line for the person at the terminal.</summary>
    public void Note(string line) => Error.WriteLine(Show.Text(line));

    /// <summary>Shows generated text as it comes: on a terminal with what could act on it spelled out, elsewhere as it is.</summary>
    public void Stream(string text)
    {
        TextWriter output = OutIsTerminal ? Out : RawOut;
        output.Write(text);
        output.Flush();
    }

    /// <summary>Writes bytes that need not be text, after the text so far.</summary>
    public void WriteBytes(ReadOnlySpan<byte> bytes)
    {
        Out.Flush();
        if (RawOut is StreamWriter { BaseStream: var stream }) stream.Write(bytes);
        else RawOut.Write(Encoding.Latin1.GetString(bytes));   // a writer without bytes gets a character for each
    }
}
