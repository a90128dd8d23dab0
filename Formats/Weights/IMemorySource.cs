namespace MambaRT.Formats;

/// <summary>Native memory of a program's own, for <see cref="HostMemory"/>. Called by the threads that open, use and dispose the model.</summary>
public interface IMemorySource
{
    /// <summary>Takes memory; where it begins and what is in it does not matter.</summary>
    /// <param name="bytes">At least so many, more than 0.</param>
    /// <returns>Its address, or 0 where there is none.</returns>
    nint Allocate(long bytes);

    /// <summary>Gives back what <see cref="Allocate"/> gave.</summary>
    /// <param name="address">Where it begins.</param>
    /// <param name="bytes">As it was asked for.</param>
    void Free(nint address, long bytes);
}
