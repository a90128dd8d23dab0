namespace MambaRT.CApi;

/// <summary>An error of the border itself, with its code.</summary>
internal sealed class StatusException(Status status, string message) : Exception(message)
{
    /// <summary>The code.</summary>
    public Status Status { get; } = status;
}
