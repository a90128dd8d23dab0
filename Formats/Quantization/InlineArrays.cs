using System.Runtime.CompilerServices;

namespace MambaRT.Formats.Blocks;

/// <summary>Four elements in place; the fixed-length fields of the block structs.</summary>
[InlineArray(4)]
public struct Array4<T> where T : unmanaged
{
    private T _first;
}

/// <summary>Eight elements in place.</summary>
[InlineArray(8)]
public struct Array8<T> where T : unmanaged
{
    private T _first;
}

/// <summary>Twelve elements in place.</summary>
[InlineArray(12)]
public struct Array12<T> where T : unmanaged
{
    private T _first;
}

/// <summary>Sixteen elements in place.</summary>
[InlineArray(16)]
public struct Array16<T> where T : unmanaged
{
    private T _first;
}

/// <summary>Thirty-two elements in place.</summary>
[InlineArray(32)]
public struct Array32<T> where T : unmanaged
{
    private T _first;
}

/// <summary>Forty-eight elements in place.</summary>
[InlineArray(48)]
public struct Array48<T> where T : unmanaged
{
    private T _first;
}

/// <summary>Sixty-four elements in place.</summary>
[InlineArray(64)]
public struct Array64<T> where T : unmanaged
{
    private T _first;
}

/// <summary>A hundred and twenty-eight elements in place.</summary>
[InlineArray(128)]
public struct Array128<T> where T : unmanaged
{
    private T _first;
}
