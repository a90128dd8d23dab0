using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

public sealed class MetadataOverridesTests
{
    [Fact]
    public void Apply_EachType_TakesThePlaceOfTheFiles()
    {
        GgufMetadata metadata = Metadata();
        MetadataOverrides.Parse(["a=int:7,b=float:0.25", "c=bool:true", "d=str:new"]).Apply(metadata);
        Assert.Equal((7u, 0.25f, true, "new"), (metadata.Entries[0].Value.Value, metadata.Entries[1].Value.Value, metadata.Entries[2].Value.Value, metadata.Entries[3].Value.Value));
        Assert.Equal(4, metadata.Entries.Count);
    }

    [Theory]
    [InlineData("x=int:5", 5u)]
    [InlineData("x=int:-5", -5)]
    [InlineData("x=int:5000000000", 5000000000L)]
    [InlineData("x=float:1e-3", 1e-3f)]
    [InlineData("x=bool:false", false)]
    [InlineData("x=str:", "")]
    [InlineData("x=str:a:b=c", "a:b=c")]
    [InlineData("x=str:first,x=str:last", "last")]
    [InlineData("\"x=str:one, two\"", "one, two")]
    [InlineData("\"x=str:a \"\"b\"\", c\",y=int:1", "a \"b\", c")]
    [InlineData("x=str:say \"hi\"", "say \"hi\"")]
    public void Apply_KeyThatTheFileLacks_IsAdded(string text, object expected)
    {
        var metadata = new GgufMetadata("m.gguf");
        MetadataOverrides.Parse([text]).Apply(metadata);
        Assert.Equal(expected, metadata.Entries[0].Value.Value);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("a=5")]
    [InlineData("=int:5")]
    [InlineData("a=uint:5")]
    [InlineData("a=int:5.5")]
    [InlineData("a=int:99999999999999999999")]
    [InlineData("a=float:nan")]
    [InlineData("a=float:1e99")]
    [InlineData("a=bool:yes")]
    [InlineData("\"a=str:x")]
    [InlineData("a=int:1,,b=int:2")]
    public void Parse_OtherForms_AreRefused(string text) => Assert.Throws<FormatException>(() => MetadataOverrides.Parse([text]));

    [Theory]
    [InlineData("a=str:x", "a UInt32")]
    [InlineData("a=int:-1", "a UInt32")]
    [InlineData("a=int:5000000000", "a UInt32")]
    [InlineData("b=int:1", "a Float32")]
    [InlineData("d=bool:true", "a String")]
    [InlineData("e=int:1", "an array of Int32")]
    public void Apply_AnotherType_IsRefusedByName(string text, string named)
    {
        GgufMetadata metadata = Metadata();
        metadata.Set("e", new[] { 1, 2 });
        string message = Assert.Throws<FormatException>(() => MetadataOverrides.Parse([text]).Apply(metadata)).Message;
        Assert.Contains($"m.gguf: key '{text[0]}' is {named}", message, StringComparison.Ordinal);
    }

    private static GgufMetadata Metadata()
    {
        var metadata = new GgufMetadata("m.gguf");
        metadata.Set("a", 1u);
        metadata.Set("b", 1f);
        metadata.Set("c", false);
        metadata.Set("d", "old");
        return metadata;
    }
}
