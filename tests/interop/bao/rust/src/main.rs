//! Answers, with iroh's bao-tree crate at block size 4, one question a line of standard input.
//! Fields are separated by tabs, each answer is one line. Ranges are boundaries in chunk groups
//! of 16 KiB, separated by commas; an odd count of boundaries leaves the last run open.
//!
//! - `outboard DATA OUT` writes the pre-order outboard without a size, answers the root hash
//! - `encode DATA RANGES OUT` writes the response without a size, answers its length
//! - `decode ROOT SIZE RANGES ENCODED DATA` compares every decoded leaf with DATA, answers `ok` and
//!   how many bytes were decoded, or the decoder's error
use std::{fs, io, io::BufRead, str::FromStr};

use bao_tree::{
    blake3,
    io::{
        outboard::PreOrderMemOutboard,
        sync::{encode_ranges_validated, DecodeResponseIter},
        BaoContentItem,
    },
    BaoTree, BlockSize, ChunkNum, ChunkRanges,
};
use bytes::BytesMut;

const BLOCK_SIZE: BlockSize = BlockSize::from_chunk_log(4);
const GROUP_CHUNKS: u64 = 16;

type Answer = Result<String, Box<dyn std::error::Error>>;

fn main() {
    for line in io::stdin().lock().lines() {
        let line = line.expect("standard input is text");
        let fields: Vec<&str> = line.split('\t').collect();
        let answer = match fields[..] {
            ["outboard", data, out] => outboard(data, out),
            ["encode", data, ranges, out] => encode(data, ranges, out),
            ["decode", root, size, ranges, encoded, data] => {
                decode(root, size, ranges, encoded, data)
            }
            _ => Err(format!("unknown question: {line}").into()),
        };
        println!("{}", answer.unwrap_or_else(|error| format!("error: {error}")));
    }
}

fn parse_ranges(text: &str) -> Result<ChunkRanges, Box<dyn std::error::Error>> {
    let mut ranges = ChunkRanges::empty();
    let boundaries = text
        .split(',')
        .filter(|part| !part.is_empty())
        .map(|part| Ok(ChunkNum(part.parse::<u64>()? * GROUP_CHUNKS)))
        .collect::<Result<Vec<_>, std::num::ParseIntError>>()?;
    for run in boundaries.chunks(2) {
        ranges |= match *run {
            [start, end] => ChunkRanges::from(start..end),
            _ => ChunkRanges::from(run[0]..),
        };
    }
    Ok(ranges)
}

fn outboard(data: &str, out: &str) -> Answer {
    let outboard = PreOrderMemOutboard::create(fs::read(data)?, BLOCK_SIZE);
    fs::write(out, &outboard.data)?;
    Ok(outboard.root.to_hex().to_string())
}

fn encode(data: &str, ranges: &str, out: &str) -> Answer {
    let data = fs::read(data)?;
    let outboard = PreOrderMemOutboard::create(&data, BLOCK_SIZE);
    let mut encoded = Vec::new();
    encode_ranges_validated(&data[..], &outboard, &parse_ranges(ranges)?, &mut encoded)?;
    fs::write(out, &encoded)?;
    Ok(encoded.len().to_string())
}

fn decode(root: &str, size: &str, ranges: &str, encoded: &str, data: &str) -> Answer {
    let data = fs::read(data)?;
    let encoded = fs::read(encoded)?;
    let ranges = parse_ranges(ranges)?;
    let tree = BaoTree::new(size.parse()?, BLOCK_SIZE);
    let mut rest = &encoded[..];
    let buffer = BytesMut::new();
    let root = blake3::Hash::from_str(root)?;
    let mut decoded = 0;
    let items = DecodeResponseIter::new_with_buffer(root, tree, &mut rest, &ranges, buffer);
    for item in items {
        if let BaoContentItem::Leaf(leaf) = item? {
            let start = leaf.offset as usize;
            if data.get(start..start + leaf.data.len()) != Some(&leaf.data[..]) {
                return Err(format!("the leaf at {start} differs from the data").into());
            }
            decoded += leaf.data.len();
        }
    }
    if !rest.is_empty() {
        return Err(format!("{} bytes were left over", rest.len()).into());
    }
    Ok(format!("ok {decoded}"))
}
