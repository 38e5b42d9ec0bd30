using Cairn.Bbolt;
using Xunit;

namespace Cairn.Tests.Bbolt;

public sealed class TreeShapeTests
{
    [Fact]
    public void Pages_are_closed_children_before_parents_with_the_next_free_ids()
    {
        // Leaf elements of 16 + 100 + 44 bytes, three to a page of 512; branch elements of 116 bytes, four to a page.
        var closed = Shape(rows: 13, keyLength: 100, valueLength: 44, pageSize: 512);

        // Of five leaves the fifth finds the branch full and no sixth to begin another one with: the branch gets an overflow page.
        Assert.Equal([new(0, 3, 2, 0), new(0, 3, 3, 0), new(0, 3, 4, 0), new(0, 3, 5, 0), new(0, 1, 6, 0), new(1, 5, 7, 1)], closed);
    }

    [Fact]
    public void A_branch_closes_when_two_children_wait_for_the_next_one()
    {
        var closed = Shape(rows: 16, keyLength: 100, valueLength: 44, pageSize: 512);

        Assert.Equal(
            [
                new(0, 3, 2, 0), new(0, 3, 3, 0), new(0, 3, 4, 0), new(0, 3, 5, 0), new(0, 3, 6, 0), new(0, 1, 7, 0),
                new(1, 4, 8, 0), new(1, 2, 9, 0), new(2, 2, 10, 0),
            ],
            closed);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(300, 1)]
    [InlineData(1, 300)]
    [InlineData(600, 2000)]
    public void Every_branch_has_two_children_and_every_page_but_the_root_a_parent(int keyLength, int valueLength)
    {
        for (var rows = 1; rows <= 400; rows++)
        {
            var closed = Shape(rows, keyLength, valueLength, pageSize: 512);

            var levels = closed.Max(page => page.Level);
            Assert.Equal(rows, closed.Where(page => page.Level == 0).Sum(page => page.Items));
            Assert.Single(closed, page => page.Level == levels);
            Assert.All(closed.Where(page => page.Level > 0), page => Assert.True(page.Items >= 2));
            for (var level = 1; level <= levels; level++)
            {
                Assert.Equal(closed.Count(page => page.Level == level - 1), closed.Where(page => page.Level == level).Sum(page => page.Items));
            }
        }
    }

    private static List<ClosedPage> Shape(int rows, int keyLength, int valueLength, int pageSize)
    {
        var shape = new TreeShape(pageSize, firstPage: 2);
        var closed = new List<ClosedPage>();
        for (var row = 0; row < rows; row++)
        {
            closed.AddRange(shape.AddRow(keyLength, valueLength));
        }

        closed.AddRange(shape.Complete());
        return closed;
    }
}
