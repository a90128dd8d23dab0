using System.Globalization;

namespace MambaRT.Bench;

/// <summary>Numbers as people read them.</summary>
internal static class Text
{
    /// <summary>A number with a fixed number of decimals; "-" for none.</summary>
    public static string Fixed(double value, int decimals) => double.IsFinite(value) ? value.ToString("F" + decimals, CultureInfo.InvariantCulture) : "-";

    /// <summary>A speed with about three digits.</summary>
    public static string Rate(double value) => Fixed(value, value < 10 ? 2 : value < 100 ? 1 : 0);

    /// <summary>A number that may be very small, with three digits; "-" for none.</summary>
    public static string Small(double value) => double.IsFinite(value) ? value.ToString("g3", CultureInfo.InvariantCulture) : "-";

    /// <summary>A share in percent.</summary>
    public static string Percent(double share) => double.IsFinite(share) ? Fixed(100 * share, 0) + " %" : "-";

    /// <summary>A size in MiB.</summary>
    public static string MiB(long bytes) => Fixed(bytes / 1048576.0, bytes < 100L << 20 ? 1 : 0) + " MiB";
}
