using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>A token that was added to a vocabulary after its training.</summary>
/// <param name="Content">Its spelling.</param>
/// <param name="Id">Its id, 0 or more, for which there need be no row.</param>
/// <param name="IsSpecial">Whether the file calls it special.</param>
/// <param name="Matching">What it asks of the text around it.</param>
/// <param name="Path">The file, for messages.</param>
/// <param name="IsOfVocabulary">Whether it stands beside the vocabulary in one file, so that both must agree.</param>
internal sealed record AddedToken(string Content, long Id, bool IsSpecial, TokenMatching Matching, string Path, bool IsOfVocabulary);
