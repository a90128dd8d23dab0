using System.Diagnostics;
using System.Text;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The executable under test, run the way a user runs it: arguments in, streams and an exit code out.</summary>
internal static class PublishedBinary
{
    public const string Variable = "MAMBART_PUBLISHED";

    private const int TimeoutMilliseconds = 180_000;

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Where it lies; null when the environment does not say.</summary>
    public static string? Path { get; } = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } path ? System.IO.Path.GetFullPath(path) : null;

    /// <summary>The bundled model; the tests that call this are skipped where there is none.</summary>
    public static string Model => FindModel() ?? throw new FileNotFoundException("No bundled model lies beside the published mambart.");

    public static string? FindModel() => Path is null ? null
        : Directory.EnumerateFiles(System.IO.Path.GetDirectoryName(Path)!, "*.gguf").Order(StringComparer.Ordinal).FirstOrDefault();

    /// <summary>Runs it to its end with an empty standard input.</summary>
    public static Result Run(params string[] arguments) => RunExecutable(Path!, "", arguments);

    /// <summary>Runs an executable to its end.</summary>
    public static Result RunExecutable(string executable, string input, params string[] arguments)
    {
        using Process process = Start(executable, arguments);
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        try
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading its input, which is its right.
        }
        WaitForExit(process);
        return new Result(process.ExitCode, output.Result, error.Result);
    }

    /// <summary>Starts it; the caller owns the process and its streams.</summary>
    public static Process Start(string executable, params string[] arguments) => Process.Start(new ProcessStartInfo(executable, arguments)
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        StandardInputEncoding = Utf8,
        StandardOutputEncoding = Utf8,
        StandardErrorEncoding = Utf8,
    })!;

    /// <summary>Whether a signal is ignored here and so in what is started here, as HUP is behind nohup: programs then rightly go on.</summary>
    /// <param name="number">The signal's number.</param>
    public static bool IsIgnored(int number)
    {
        string mask = File.ReadLines("/proc/self/status").Single(line => line.StartsWith("SigIgn:", StringComparison.Ordinal)).Split('\t')[1];
        return (Convert.ToUInt64(mask, 16) >> (number - 1) & 1) != 0;
    }

    /// <summary>Waits, and fails the test where the process hangs.</summary>
    public static void WaitForExit(Process process)
    {
        if (process.WaitForExit(TimeoutMilliseconds))
        {
            process.WaitForExit();
            return;
        }
        process.Kill(entireProcessTree: true);
        Assert.Fail($"{process.StartInfo.FileName} {string.Join(' ', process.StartInfo.ArgumentList)} did not end within {TimeoutMilliseconds / 1000} s.");
    }

    /// <summary>What a run left behind.</summary>
    internal readonly record struct Result(int ExitCode, string Output, string Error)
    {
        public string[] ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);

        /// <summary>Fails with what the program said where it did not end well.</summary>
        public Result Succeeded()
        {
            Assert.True(ExitCode == 0, $"exit {ExitCode}: {Error}");
            return this;
        }
    }
}
