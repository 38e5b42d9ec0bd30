using System.IO.Compression;

namespace Cairn.Tests.Bbolt;

/// <summary>A file that bbolt 1.3 itself wrote.</summary>
/// <remarks>
/// Page size 1024, three transactions, free list synced. Buckets "empty", "small" (a=1) and "rows": row000 to row119 with i % 40 times the letter 'a' + i % 26
/// (row050: 2500 times), from which the third transaction removed each row above 30 that 3 divides.
/// </remarks>
internal static class FileOfBbolt
{
    private const string Compressed =
        "H4sIAAAAAAACA+2caWwVVRTH77SUlu5s1QItFHBJjGbubG/mizExftDgVz5TaFlKWwotaxQJiZGYSBBMXMCI0aAfNDHRKIaQSFwiatREUUNcEpe4EvSD+kUSeXfOue/d82bmDdAS2p5f" +
        "Ut87d+5ri51z7z3nf84IETMDXs+dbT5XUzYwR5jMhdel5HN3nOg+fWjv/m8EwzCTBquK/y8h83uI/9fC6wsdZ++77f09N/P/UYaZPNTo13ZjUZhZNucfEdu4VpwDGz/7E9i4FnwLNq4p" +
        "X4FdB/ZnYOPP+ATe14P9EdgNYH8A9iywT4PdSOwmMr+ZfL8W8vNaye/TdvFry6bttm2r/8rV6sVZs0a9un19feqN138R9c5fW0S9DdYp1PvC+hhlhBsAZUUDSNGU9kaNsuVgCTXgDJWh" +
        "RtzhctSQt8lAjfkjJnynM0nUav9v0mOvgD/givA62LPBPgk2xgbvgo2xwcdgzyP+Px/sH8DuAPs82NeB/R/Y14PdCOtRJ9idYC8Af5XBZoIaLWypoDgcjlagxqOxSooXHHtrAuqK3JaE" +
        "uuRsT0Rdc3ckoy56O1NQV/1daajLQW8qfKszCczg/Z/3f2baUsf7P+//zLRlpvb/Bj22B8YXgv0o2IvAfg7sLrI+dJP9dzHY34GNucS/wcYcYgv48zLwZ6ewOh01IVyTgZoR9WVRnOLa" +
        "/ZmoOXJtNmqSs64Kapa3oSpqnj9QHb5vmfGhPsP/bwD7MNg3gv2GMOODl0l88DyJB54m8cDj5Px/qOz8r1ygMJgHNTUcykVxrqeO9Z4cUS8unAc8D08AXlDa2r0CbOZ8hzBTmQbt/zU6" +
        "nl9C4u3FYL8zK/ZPLzKOrL69k2EYhmEYhpl08FF4WtKUEf+jfraX6GcPlullRR4mesEBog88QfSBZ4ke8FKZHqACCqc8ca1G3IocoO8n5PT8ICmL54fJKTk/Wl9J8UIgE7Nu6pKzMRG+" +
        "k5jJSLP2/1JGbxXR34aFqb/dT/SB/UQfOEr0gNfK9ADlQ15Wmi7wh9NQlwsj6agJ4eYMijMK9mgmao4cy4ZvHWYK0KL9v16PjYC/Yq3/Q0Svewbs5WC/SfSCz8G+Cey/iF7wsyjVDylf" +
        "c7dVQ03ztldFzQvynHfVzMKuPKip0ep8FCeHSmkInf5+vsGYa5pW7f+Neuwo0e+eFGb93mNEv8PzfgM5D6B+8Igw6/P2k/gCP99Kvn8b+fmzYb0IXVDeQ18f2cOgJKGHYXlRXRgZimEk" +
        "yYEicmjxXORVnhkiP6GWKCrwsYCZ1LRl7P8Yv+8QZj3fXhK/o39j/d5TJH54UZTq9YocL4sflBuFifV10rZTtnhpy7QCOmm76bu4tL208jh1NcgsKpJ2IaOkiG8lZhLSnpH/w/q+QySe" +
        "f0GY9XwnSbyA5/9lYJ8j8UK9ZdYTLbNK8YLys6hazZ2UdtWKOymdHPV2UrpVq+3UND9fRZKUQc56JCnDTblQc6ORfPAdzVwKWNNvwekca/+xVu8YOfsfIWf/g8Ls3dlHYoHd5Ow/Rs7+" +
        "A8LUFlaRWGAliQVWCFNrKPXryCCuHY4rCOM6pVhNiHOOcaYhjh/iU0e81vA9wExf5uj9vxbWASFs8PclYN8F60E72HfDdefiV//QyFiqdlxTctJRXGjuhdfRod7BwfQPWsYJxYKvXsl/" +
        "MYYZP+ZqL2s3XBZzfxjzY6yPPXsY62OMj9ogxvioDaImiLEExhDYG4QxRA//KRjmqjNP77iz9NgBYer7WK+DvvwqyQ+8R/IDZ4XZ/3ee5AvqLDNfsMgy9UVvWvQDuuurwW2DzEQzX/t/" +
        "ix77lOTrfhOmvl9H8nc9lqn3306eH4L+jGf6Wyzz+SGY/6sl6wHmIDosMwcx2zJzENg/jDkIfF5AA6wfbrAxBxPYeehGw/mobFN0YvkxqV3R148oSOxcVEaIqgnf6UwSHdr/uf+PYRiG" +
        "YRiG+/+YqU6nPv8367G3hKnZnxKmZv+2MDV7zP+hZo/P/0LNHp+3iZr9GWE+T/BrYdYb/ijMfkGsH8Jc5b/CrD+ssUj/oCTF+/kaCr3KtOGlNBkWEpOBl957aKel+LgrkRl3Fmj/r6z/" +
        "R40Pn++FWt8JYfYDor8vIPl/1A9+J/rBBaIftFumfrDcMvWDyCrpB+pudzPyclfWXBhkluGNR/NhEG3JZLz6E9UkZ2sV2AGmOQsz/B/1OXze31Kyn2N97y9EL8D9GPWCLqIXREQvWEn0" +
        "ghVEL7jTmth+QX9HdSausTDszcXlNiHKPu5FZFJZpP2/TY/9KUw97ldh6nH4/G7U4/B5/zPJ/o963JfCrAk+Q/QF7BdoJHYTmd9Mvl8L+Xmt5PdpI79vO/n3VPYTeng8T+ssLJQdurPb" +
        "DG3z4JGn7dCtOE7k70QMkg4J3J/IVKFL+3/l8/8xHj9O4vFTJB7/kMTjXwjz+f7fk3jiPIknLpB4otky4wmsB8Czyq1WKZ7I6B+0oyj5ZHCZjYVO6n5/RU2HftYufmU9iWpCmFXUxA4w" +
        "zenO8P8uku/rJvsvxud/CLO+r4bU93WS+j5pmfHDPZYZP/SR+OEBEj8cnqB+QVm9Hm+cmwq9XGVJE9J8WMhbkMR9ilMZ9GHa/4e1QMdILHCE7P0Hyd6/j+z9u8nePkZyhQMkV7iK5ApX" +
        "krVoBVmLUvr/grL+PxnnDLn/j2Eoes+e6P4/XGi4/49hrhl6tJfF2THM8WFuD3N6mMvDHB7m7jBnh9ED5ugwN4c5ubYybxaipP1jjmEu/ykY5qrzP9zd2coAiAAA";

    public static byte[] Read()
    {
        using var compressed = new GZipStream(new MemoryStream(Convert.FromBase64String(Compressed)), CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        compressed.CopyTo(bytes);
        return bytes.ToArray();
    }
}
