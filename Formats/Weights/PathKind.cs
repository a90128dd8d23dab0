namespace MambaRT.Formats;

/// <summary>What stands at a path.</summary>
internal enum PathKind
{
    /// <summary>Nothing, or nothing that may be looked at.</summary>
    None,
    /// <summary>A file with contents of its own; links are followed.</summary>
    File,
    /// <summary>A folder.</summary>
    Folder,
    /// <summary>A pipe, with a name or without.</summary>
    Pipe,
    /// <summary>A device such as a terminal or /dev/zero.</summary>
    Device,
    /// <summary>A socket.</summary>
    Socket,
}
