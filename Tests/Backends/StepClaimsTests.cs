using MambaRT.Backends.Cpu;
using Xunit;

namespace MambaRT.Tests;

public sealed class StepClaimsTests
{
    [Theory]
    [InlineData(0, 3)]
    [InlineData(1, 2)]
    [InlineData(2, 5)]
    [InlineData(7, 3)]
    [InlineData(int.MaxValue, 64)]
    public void Begin_AllMembers_DivideTheUnitsEvenly(int units, int members)
    {
        Assert.Equal(0, StepClaims.Begin(units, 0, members));
        Assert.Equal(units, StepClaims.Begin(units, members, members));
        for (int i = 0; i < members; i++)
            Assert.InRange(StepClaims.Begin(units, i + 1, members) - StepClaims.Begin(units, i, members), units / members, units / members + 1);
    }

    [Fact]
    public void TryTake_OneMemberAlone_TakesItsOwnThenAllOthers()
    {
        var claims = new StepClaims(1, 3);
        claims.Open(0, 1, 7);

        int[] order = [.. Enumerable.Range(0, 7).Select(_ => Take(claims, 1, member: 1))];

        Assert.Equal([3, 4, 5, 6, 0, 1, 2], order);
        Assert.Equal(-1, Take(claims, 1, member: 1));
        Assert.Equal(-1, Take(claims, 1, member: 0));
    }

    [Fact]
    public void TryTake_NextRun_BeginsAgainAndALatecomerFindsNothing()
    {
        var claims = new StepClaims(1, 2);
        claims.Open(0, 1, 2);
        Assert.Equal([0, 1], [Take(claims, 1, 0), Take(claims, 1, 0)]);

        claims.Open(0, 2, 3);

        Assert.False(claims.TryUnits(0, 1, out _));
        Assert.Equal(-1, Take(claims, 1, 0, units: 2));
        Assert.Equal([2, 0, 1], [Take(claims, 2, 1), Take(claims, 2, 0), Take(claims, 2, 1)]);
        Assert.Equal(-1, Take(claims, 1, 1, units: 2));
    }

    [Fact]
    public void Close_HalfTaken_CountsThemAndLetsNobodyIn()
    {
        var claims = new StepClaims(2, 2);
        claims.Open(1, 5, 6);
        Assert.Equal([0, 3, 1], [claims.TryTake(1, 5, 6, 0, out int a) ? a : -1, claims.TryTake(1, 5, 6, 1, out int b) ? b : -1, claims.TryTake(1, 5, 6, 0, out int c) ? c : -1]);

        Assert.Equal(3, claims.Close(1, 5));

        Assert.False(claims.TryTake(1, 5, 6, 0, out _));
        claims.Open(1, 6, 6);
        Assert.True(claims.TryTake(1, 6, 6, 0, out int again));
        Assert.Equal(0, again);
    }

    private static int Take(StepClaims claims, int epoch, int member, int units = -1)
    {
        if (units < 0) Assert.True(claims.TryUnits(0, epoch, out units));
        return claims.TryTake(0, epoch, units, member, out int unit) ? unit : -1;
    }
}
