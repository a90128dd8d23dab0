using Spectre.Console;

namespace MambaRT.Cli;

/// <summary>How far long work has come: a bar on a terminal that shows one, a line for each tenth elsewhere.</summary>
internal static class Progress
{
    /// <summary>Does the work, which reports the share done, 0 to 1.</summary>
    public static void Run(Terminal terminal, string title, Action<Action<double>> work)
    {
        if (terminal.ErrorIsTerminal && terminal.Styled) Bar(terminal, title, work);
        else Lines(terminal, title, work);
    }

    private static void Bar(Terminal terminal, string title, Action<Action<double>> work)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(terminal.RawError) });
        console.Progress().AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(context =>
            {
                ProgressTask task = context.AddTask(Markup.Escape(title), maxValue: 1);
                work(share => task.Value = share);
            });
    }

    private static void Lines(Terminal terminal, string title, Action<Action<double>> work)
    {
        int shown = 0;
        work(share =>
        {
            int tenths = (int)(share * 10);
            if (tenths <= shown) return;
            shown = tenths;
            terminal.Note($"{title}: {tenths * 10} %");
        });
    }
}
