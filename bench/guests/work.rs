//! The work of ordinary guests in Rust: what fuel costs is measured on it. Every function
//! takes how often to do its work and returns a number that depends on all of it.
#![crate_type = "cdylib"]

use std::collections::BTreeMap;

const ORDER: &str = r#"{"order":"4711","customer":"ada","country":"Norway","lines":[{"sku":"tea-01","name":"Earl \"Grey\"","qty":2,"cents":250},{"sku":"cup-02","name":"Cup","qty":6,"cents":1299},{"sku":"pot-03","name":"Pot, large","qty":1,"cents":4999}],"paid":true,"rebate":12.5,"note":null}"#;

enum Value {
    Null,
    Flag(bool),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&mut self) -> u8 {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\n' | b'\t' | b',' | b':')) {
            self.at += 1;
        }
        *self.bytes.get(self.at).unwrap_or(&0)
    }

    fn text(&mut self) -> String {
        let mut out = String::new();
        self.at += 1;
        while let Some(&c) = self.bytes.get(self.at) {
            self.at += 1;
            match c {
                b'"' => break,
                b'\\' => {
                    out.push(self.bytes[self.at] as char);
                    self.at += 1;
                }
                c => out.push(c as char),
            }
        }
        out
    }

    fn value(&mut self) -> Value {
        match self.peek() {
            b'{' => {
                self.at += 1;
                let mut map = BTreeMap::new();
                while self.peek() != b'}' {
                    let key = self.text();
                    map.insert(key, self.value());
                }
                self.at += 1;
                Value::Map(map)
            }
            b'[' => {
                self.at += 1;
                let mut list = Vec::new();
                while self.peek() != b']' {
                    list.push(self.value());
                }
                self.at += 1;
                Value::List(list)
            }
            b'"' => Value::Text(self.text()),
            b't' => {
                self.at += 4;
                Value::Flag(true)
            }
            b'f' => {
                self.at += 5;
                Value::Flag(false)
            }
            b'n' => {
                self.at += 4;
                Value::Null
            }
            _ => {
                let start = self.at;
                while matches!(self.bytes.get(self.at), Some(b'0'..=b'9' | b'.' | b'-')) {
                    self.at += 1;
                }
                let text = std::str::from_utf8(&self.bytes[start..self.at]).unwrap_or("0");
                Value::Number(text.parse().unwrap_or(0.0))
            }
        }
    }
}

fn weigh(v: &Value) -> u32 {
    match v {
        Value::Null => 1,
        Value::Flag(f) => *f as u32,
        Value::Number(n) => *n as u32,
        Value::Text(t) => t.len() as u32,
        Value::List(l) => l.iter().map(weigh).sum(),
        Value::Map(m) => m.iter().map(|(k, v)| k.len() as u32 + weigh(v)).sum(),
    }
}

#[no_mangle]
pub extern "C" fn parse(rounds: u32) -> u32 {
    (0..rounds).map(|_| weigh(&Parser { bytes: ORDER.as_bytes(), at: 0 }.value())).fold(0, u32::wrapping_add)
}

#[no_mangle]
pub extern "C" fn sort(rounds: u32) -> u32 {
    let (mut sum, mut x) = (0u32, 1u32);
    for _ in 0..rounds {
        let mut nums: Vec<u32> = (0..4096)
            .map(|_| {
                x ^= x << 13;
                x ^= x >> 17;
                x ^= x << 5;
                x
            })
            .collect();
        nums.sort();
        sum = sum.wrapping_add(nums[0] ^ nums[2048] ^ nums[4095]);
    }
    sum
}

#[no_mangle]
pub extern "C" fn text(rounds: u32) -> u32 {
    let mut words = 0u32;
    for r in 0..rounds {
        let mut page = String::new();
        for n in 0..2000u32 {
            page.push_str("order number ");
            page.push_str(&(n.wrapping_mul(7919).wrapping_add(r)).to_string());
            page.push(if n % 3 == 0 { '\n' } else { ' ' });
        }
        words += page.split_whitespace().filter(|w| !w.is_empty()).count() as u32;
    }
    words
}
