namespace MambaRT.Cli;

/// <summary>Keys of the terminal that the program runs in.</summary>
internal sealed class ConsoleKeys : IKeySource
{
    public bool IsReady => Console.KeyAvailable;

    public ConsoleKeyInfo Read() => Console.ReadKey(intercept: true);

    /// <summary>Columns of the terminal; 80 where it does not say.</summary>
    public static int Columns() => Console.WindowWidth is > 0 and int width ? width : 80;
}
