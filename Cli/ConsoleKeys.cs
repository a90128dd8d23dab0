using System.Runtime.InteropServices;

namespace MambaRT.Cli;

/// <summary>Keys of the terminal that the program runs in, and its width.</summary>
internal sealed class ConsoleKeys : IKeySource
{
    private const nuint GetWindowSize = 0x5413;   // TIOCGWINSZ of Linux

    private const int Usual = 80;

    public bool IsReady => Console.KeyAvailable;

    public ConsoleKeyInfo Read() => Console.ReadKey(intercept: true);

    /// <summary>Columns of the terminal; 80 where it does not say. Sends it nothing, which <see cref="Console.WindowWidth"/> does.</summary>
    public static int Columns()
    {
        if (!OperatingSystem.IsLinux()) return Console.WindowWidth is > 0 and int width ? width : Usual;
        nint size = Marshal.AllocHGlobal(4 * sizeof(short));   // rows, columns, and both in pixels
        try
        {
            for (int descriptor = 0; descriptor <= 2; descriptor++)
                if (Ioctl(descriptor, GetWindowSize, size) == 0 && (ushort)Marshal.ReadInt16(size, sizeof(short)) is > 0 and ushort columns) return columns;
            return Usual;
        }
        finally
        {
            Marshal.FreeHGlobal(size);
        }
    }

    [DllImport("libc", EntryPoint = "ioctl")]
    private static extern int Ioctl(int descriptor, nuint request, nint argument);
}
