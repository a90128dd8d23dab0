using System.Text.Json;
using MambaRT.Cli;

namespace MambaRT.Tests;

/// <summary>Runs command lines inside the test's process.</summary>
internal sealed record CommandLine(int Code, string Output, string Error)
{
    /// <summary>Lines on standard error.</summary>
    public string[] ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Runs one command line with nothing, or <paramref name="input"/>, on standard input.</summary>
    public static CommandLine Run(string[] args, string input = "")
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        int code = Program.Run(args, new Terminal { In = new StringReader(input), Out = output, Error = error });
        return new CommandLine(code, output.ToString(), error.ToString());
    }

    /// <summary>Standard output as JSON.</summary>
    public JsonElement Json() => JsonDocument.Parse(Output).RootElement;
}
