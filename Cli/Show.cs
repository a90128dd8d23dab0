using System.Globalization;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>Numbers and foreign text as people read them.</summary>
internal static class Show
{
    /// <summary>Text of a file or a vocabulary with its control characters spelled out, so that it cannot act on the terminal.</summary>
    public static string Text(string text, int limit = int.MaxValue) => Printable.Line(text, limit);

    /// <summary>A size in units of 1024.</summary>
    public static string Bytes(long bytes) => bytes switch
    {
        < 1L << 10 => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
        < 1L << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0.0} KiB"),
        < 1L << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:0.0} MiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1073741824.0:0.00} GiB"),
    };

    /// <summary>A count with thousands separated.</summary>
    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A number with a fixed number of decimals.</summary>
    public static string Fixed(double value, int decimals) => value.ToString("F" + decimals, CultureInfo.InvariantCulture);

    /// <summary>The shortest text that reads back as the same float32.</summary>
    public static string Exact(float value) => value.ToString("R", CultureInfo.InvariantCulture);
}
