use super::*;

#[test]
fn fields_have_the_bytes_of_the_specification() {
    // The examples of the page on encoding.
    assert_eq!(Message::default().number(1, 150).as_bytes(), [0x08, 0x96, 0x01]);
    let text = Message::default().text(2, "testing");
    assert_eq!(text.as_bytes(), [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]);
    let inner = Message::default().number(1, 150);
    assert_eq!(Message::default().message(3, &inner).as_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
    let minus_two = [0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(Message::default().integer(1, -2).as_bytes(), minus_two);
    assert_eq!(Message::default().float(2, 1.0).as_bytes(), [0x15, 0, 0, 0x80, 0x3f]);
    // A field number that takes two bytes with its kind.
    assert_eq!(Message::default().number(20, 7).as_bytes(), [0xa0, 0x01, 0x07]);
    assert_eq!(Message::default().number(1, u64::MAX).as_bytes().len(), 11);
}

#[test]
fn a_message_goes_on_behind_what_is_appended_or_begun() {
    let rest = Message::default().number(2, 1);
    let whole = Message::default().text(1, "a").append(&rest).begin(3, 300);
    assert_eq!(whole.as_bytes(), [0x0a, 0x01, b'a', 0x10, 0x01, 0x1a, 0xac, 0x02]);
}
