using System.Runtime.ExceptionServices;

namespace MambaRT.Backends.Cpu;

/// <summary>Tells the caller of a team what went wrong in a member.</summary>
internal static class StepFailure
{
    /// <summary>Throws what a member threw: what it found in the weights as it stands.</summary>
    public static void Throw(Exception failure)
    {
        if (failure is FormatException) ExceptionDispatchInfo.Throw(failure);
        throw new InvalidOperationException($"A step of the model failed: {failure.Message}", failure);
    }
}
