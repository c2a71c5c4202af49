"""Exact and near-duplicates among a million records, in bounded memory.

What counts: two records are duplicates when question and answer are the same words, figures and
signs; of a held-out question whatever the answer. They are near-duplicates when they say the same
in other words, order or politeness (`meaning`), or when both their instructions and their inputs
share enough of their five-character shingles (Jaccard), the answer is the same, and nothing that
carries a difference differs (`comparing`).

How they are found, with few numbers of each record in memory and its text on disk:

1. Duplicates: one hash of words and figures per record, in a dict (`index`); for other order and
   frames, one of the sorted words that carry the meaning.
2. Sketches (`sketches`): a text's shingles are hashed, and 60 MinHash values stand for the set
   (Broder, 1997; computed by `rensa`), combined into 24 bands of 5. Of pairs at Jaccard 0.8,
   99.93 % share a band, of more alike ones still more; the others are missed. The text is the
   input, or the instruction where there is no input, or one that many records share; without the
   pieces that many records share, so that rows of one template are not all candidates.
3. Buckets (`lookup`): texts that share a band are candidates (locality-sensitive hashing). They are
   looked up in blocks, by few operations on long arrays, since by chance most texts share a band
   with more texts than are near.
4. Bitmaps (`sketches`): every shingle turns one bit over, so that two bitmaps differ in no more
   bits than their sets in shingles. Most chance candidates differ in more bits than near texts can,
   and are ruled out for certain without a look at the texts (Sandes et al., 2020, Bitmap Filter:
   Speeding up Exact Set Similarity Joins).
5. What is left is read from disk and compared in full (`comparing`), so that a near-duplicate
   is a fact and not an estimate.
"""
