using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>Decides for every verb whether its files may be written, before the work begins.</summary>
internal static class Outputs
{
    /// <summary>Refuses an output that the call reads, that is this program, that another program uses, or that is named twice.</summary>
    /// <param name="outputs">What the call writes; null is none.</param>
    /// <param name="inputs">Every file that it reads, all parts of a model among them.</param>
    /// <exception cref="ArgumentException">It would replace an input.</exception>
    /// <exception cref="IOException">It cannot be written, or is in use.</exception>
    /// <exception cref="UsageException">Two outputs are one file.</exception>
    public static void Check(IEnumerable<string?> outputs, IEnumerable<string?> inputs)
    {
        string[] written = [.. outputs.OfType<string>()];
        string[] read = [.. inputs.Append(Environment.ProcessPath).OfType<string>()];
        foreach (string output in written)
        {
            WholeFile.EnsureWritable(output, read);
            if (FileLock.IsOpenElsewhere(output))
                throw new IOException($"'{output}' is in use by a running program; end that first, or give another name.");
        }
        if (written.DistinctBy(WholeFile.Destination).Count() < written.Length)
            throw new UsageException("Two of the files to write are one and the same; give each a name of its own.");
    }

    /// <summary>Prints results and writes reports: each of them, whatever becomes of the others; the first failure is thrown at the end, the others are notes.</summary>
    /// <param name="terminal">Where the results go, first of all.</param>
    /// <param name="print">Writes the results.</param>
    /// <param name="reports">Files and what belongs into them; a file of null is not asked for.</param>
    public static void Give(Terminal terminal, Action print, params (string? Path, Func<string> Text)[] reports)
    {
        Exception? first = null;
        Try(() =>
        {
            print();
            terminal.Out.Flush();
        });
        foreach ((string? path, Func<string> text) in reports)
            if (path is not null) Try(() => WholeFile.WriteText(path, text()));
        if (first is not null) throw first;

        void Try(Action write)
        {
            try
            {
                write();
            }
            catch (IOException e)
            {
                if (first is null or OutputClosedException) first = e;
                else terminal.Note(Failure.Sentence(e));
            }
        }
    }
}
