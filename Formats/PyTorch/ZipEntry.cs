namespace MambaRT.Formats;

/// <summary>A file in a zip archive, stored as it is.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Offset">Where its bytes begin in the archive.</param>
/// <param name="Length">How many there are.</param>
/// <param name="Crc">Their CRC-32, as the archive says.</param>
internal readonly record struct ZipEntry(string Name, long Offset, long Length, uint Crc);
